"""The stored predictions of one task of a suite, with what made them: what outsiders are held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark import paths
from benchmark.cell import Cell, check_name
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import read_json
from benchmark.predictions import Predictions, Tested
from benchmark.report.access import rank
from benchmark.report.words import REFERENCE

AGAIN = "Take results/ as it is in git, or run `dvc repro`."


@dataclass(frozen=True, eq=False)
class StoredTask:
    """All methods of one task that a suite stores.

    Attributes:
        predictions: By cell, methods that see least first and the reference at their head; all on the same images.
        facts: What made each cell (``results/<suite>/cells/<cell>.json``).
        data: SHA-256 of the biased pack that all of them were trained and tested on.
    """

    suite: str
    task: str
    predictions: Mapping[Cell, Predictions]
    facts: Mapping[Cell, Mapping[str, Any]]
    data: str

    @property
    def reference(self) -> Cell | None:
        """The cell that the others are compared with, if the task has it."""
        return next((cell for cell in self.predictions if cell.method == REFERENCE), None)

    @property
    def base(self) -> Predictions:
        """Of the reference, else of the first method: its images and order are those of all."""
        return self.predictions[self.reference or next(iter(self.predictions))]

    @property
    def tested(self) -> Mapping[str, Tested]:
        """The images that each variant shows."""
        return self.base.tested

    @property
    def classes(self) -> int:
        return int(next(iter(self.base.logits.values())).shape[-1])


def read_task(suite: str, task: str | None = None, methods: Sequence[str] = ()) -> StoredTask:
    """Reads the stored predictions of a task.

    Args:
        suite: Its name.
        task: ``dataset-bias``; not needed where the suite has one.
        methods: Whose predictions to read beside the reference's; all by default.

    Raises:
        BenchmarkError: If there is no such suite, task or method, a method was skipped, a file is missing or damaged,
            or the cells are not of the same data and images.
    """
    files = paths.SuitePaths(check_name("suite", suite))
    stored = [Cell.parse(file.stem) for file in sorted((files.results / "predictions").glob("*.npz"))]
    if not stored:
        known = {folder.parent.name for folder in paths.RESULTS.glob("*/predictions")}
        raise_unknown("suite with predictions", suite, known, do="Run it at the root of the repository.")
    task = _chosen(task, sorted({cell.task for cell in stored}))
    facts = {cell: _facts(files, cell) for cell in stored if cell.task == task}
    there = {cell.method: cell for cell, fact in facts.items() if "skipped" not in fact}
    for cell in (cell for cell in facts if cell.method in methods and cell.method not in there):
        why = facts[cell]["skipped"]
        raise BenchmarkError(f"cell {cell.key} was skipped", got=why.get("reason"), do=why.get("do"))
    for name in methods:
        if name not in there:
            raise_unknown(f"method on {task}", name, there)
    wanted = {*methods, REFERENCE} if methods else set(there)
    cells = sorted((there[name] for name in wanted if name in there), key=lambda cell: _place(cell, facts[cell]))
    if not cells:
        raise BenchmarkError(f"all cells of {task} were skipped in suite {suite!r}", do="Bring its images in first.")
    predictions = {cell: Predictions.read(files.predictions(cell)) for cell in cells}
    data = _same(predictions)
    for cell in cells:
        if not data.startswith(told := str(facts[cell].get("data", ""))):
            raise BenchmarkError(f"data hash in {files.facts(cell)}", got=told, expected=data[:12], do=AGAIN)
    return StoredTask(suite, task, predictions, {cell: facts[cell] for cell in cells}, data)


def _chosen(task: str | None, tasks: Sequence[str]) -> str:
    if task is None and len(tasks) > 1:
        raise BenchmarkError("--task is missing", expected=f"one of {', '.join(tasks)}: the suite has several")
    if (task := task or tasks[0]) not in tasks:
        raise_unknown("task", task, tasks)
    return task


def _facts(files: paths.SuitePaths, cell: Cell) -> Mapping[str, Any]:
    path = files.facts(cell)
    try:
        facts = read_json(path)
    except FileNotFoundError:
        raise BenchmarkError(f"{path} is missing", expected="what made the cell", do=AGAIN) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} is not JSON", got=str(error), do=AGAIN) from error
    if not isinstance(facts, dict):
        raise BenchmarkError(f"{path}", got=type(facts).__name__, expected="an object", do=AGAIN)
    return facts


def _place(cell: Cell, facts: Mapping[str, Any]) -> tuple[Any, ...]:
    needs = str(facts.get("needs", "nothing"))
    return rank(needs), needs, cell.method != REFERENCE, cell.method


def _same(predictions: Mapping[Cell, Predictions]) -> str:
    """The data hash that all cells share.

    Raises:
        BenchmarkError: If they do not, or do not show the same images.
    """
    (first, base), *others = predictions.items()
    data = base.attributes.get("data", "")
    for cell, stored in others:
        same = {
            "data hash": stored.attributes.get("data", "") == data,
            "strata": stored.attributes.get("strata", "") == base.attributes.get("strata", ""),
            "variants": list(stored.tested) == list(base.tested),
            "test images": all(
                np.array_equal(getattr(stored.tested[variant], name), getattr(base.tested[variant], name))
                for variant in stored.tested
                if variant in base.tested
                for name in ("id", "unit", "label")
            ),
        }
        if unequal := [name for name, equal in same.items() if not equal]:
            raise BenchmarkError(
                f"{unequal[0]} of cell {cell.key} differs from {first.key}",
                expected="the same for all methods of a task",
                do=AGAIN,
            )
    return data
