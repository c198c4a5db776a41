"""What a launch has to do: stages to run first, and of every stale cell the steps that are left."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.launch.belongs import foreign_run
from benchmark.launch.graph import Graph, Stage

STEPS = ("train", "score")


@dataclass
class Todo:
    """One stale cell.

    Attributes:
        cell: Which.
        steps: What has to run, in this order.
        trained: A training that an earlier launch finished and could not record.
        remove: The training's outputs differ from the recorded ones, so no seed of them is taken over: as `dvc repro`
            does it, they go before it starts.
        waits_for: Stages before it that are stale.
    """

    cell: Cell
    steps: list[str]
    trained: bool = False
    remove: bool = False
    waits_for: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """A suite as it stands.

    Attributes:
        todo: Stale cells.
        fresh: How many cells are not stale.
        first: Addresses of the stale stages whose outputs cells read; ``dvc repro`` of them runs what they need.
    """

    todo: list[Todo]
    fresh: int
    first: list[str]


def stage_of(graph: Graph, step: str, cell: Cell) -> Stage:
    """The stage of a cell.

    Raises:
        BenchmarkError: If the suite's pipeline has none of this name.
    """
    name = f"{step}@{cell.key}"
    if name not in graph.stages:
        raise BenchmarkError(f"{graph.suite.pipeline} has no stage {name}", do="Compare its matrix with params.yaml.")
    return graph.stages[name]


def make_plan(graph: Graph, only: str = "*") -> Plan:
    """Looks at every cell of the suite.

    Args:
        graph: Its stages.
        only: Cells whose names match, as in a shell (``tb-*``).

    Raises:
        BenchmarkError: If no cell matches.
    """
    cells = [cell for cell in graph.suite.suite().cells() if fnmatchcase(cell.key, only)]
    if not cells:
        raise BenchmarkError("--only", got=only, expected=f"a pattern that a cell of suite {graph.suite.name} matches")
    todo, first = [], dict[str, Any]()
    for cell in cells:
        steps = [step for step in STEPS if graph.stale(stage_of(graph, step, cell))]
        own = {f"{step}@{cell.key}" for step in STEPS}
        before = {
            stage.addressing: stage
            for step in STEPS
            for stage in graph.ancestors(stage_of(graph, step, cell))
            if not (stage.name in own and stage is graph.stages.get(stage.name)) and graph.stale(stage)
        }
        if not steps and not before:
            continue
        train = stage_of(graph, "train", cell)
        may_be = "train" in steps and not before and graph.expects_new(train)
        trained = may_be and not foreign_run(cell, graph.suite)
        left = [step for step in steps if not (step == "train" and trained)]
        todo.append(Todo(cell, left, trained, "train" in left and graph.damaged(train), list(before)))
        first |= before
    parents = {
        parent.addressing
        for each in todo
        for step in STEPS
        for parent in graph.parents(stage_of(graph, step, each.cell))
        if parent.addressing in first or any(stage.addressing in first for stage in graph.ancestors(parent))
    }
    own = {stage_of(graph, step, each.cell).addressing for each in todo for step in STEPS}
    return Plan(todo, len(cells) - len(todo), sorted(parents - own))
