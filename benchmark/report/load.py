"""Reads a results folder, checked once, so that nothing later has to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.report.access import by_access
from benchmark.report.costs import read_costs
from benchmark.report.measures import Agreement, Comparison, Slope, Verdict
from benchmark.report.numbers import true_minus
from benchmark.report.records import Results, Run, Skip, Task
from benchmark.report.rows import missing, read_claims, read_scores, read_summary
from benchmark.report.settings import read_trials
from benchmark.report.tidy import read, read_measures

T = TypeVar("T")


def load(folder: Path) -> Results:
    """Reads the results folder of a suite.

    Raises:
        BenchmarkError: If the folder, a file, a column or a field is missing, a table is empty, a number does
            not parse, a row is there twice or belongs to no cell of the suite.
    """
    if not folder.is_dir():
        raise BenchmarkError(
            "results folder does not exist", got=str(folder), expected="a folder that holds suite.json"
        )
    name = "suite.json"
    suite = _json(folder / name)
    skipped = _skipped(suite.get("skipped", []))
    tasks = _tasks(_get(suite, "cells", list, name), skipped)
    read_summary(folder / "summary.csv", tasks)
    read_scores(folder / "scores.csv", tasks)
    for task in tasks.values():
        task.trials = read_trials(folder.parent, folder.name, task)
    for row in read(folder / "guards.csv", Verdict):
        if row.verdict and (key := f"{row.dataset}-{row.bias}") in tasks:
            tasks[key].unfit[row.method, row.explainer] = true_minus(row.verdict)
    return Results(
        folder=folder,
        suite=_get(suite, "suite", str, name),
        version=_get(suite, "version", str, name),
        code=_get(suite, "code", str, name),
        seeds=_get(suite, "seeds", list, name),
        packages=_get(suite, "packages", dict, name),
        protocol=_get(suite, "protocol", list, name),
        tasks=list(tasks.values()),
        claims=read_claims(folder / "claims.csv"),
        skipped=skipped,
        measures=read_measures(folder),
        comparisons=list(read(folder / "comparisons.csv", Comparison)),
        agreement=list(read(folder / "agreement.csv", Agreement)),
        slopes=list(read(folder / "slopes.csv", Slope)),
        costs=read_costs(folder / "costs.csv", {run.cell.method for task in tasks.values() for run in task.runs}),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path.name} is not JSON", got=str(error), do="Run the pipeline again.") from error
    if not isinstance(value, dict):
        raise BenchmarkError(path.name, got=type(value).__name__, expected="an object")
    return value


def _get(mapping: dict[str, Any], key: str, kind: type[T], where: str) -> T:
    if key not in mapping:
        raise BenchmarkError(f"{where} lacks {key!r}", expected=f"a field of type {kind.__name__}")
    value = mapping[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BenchmarkError(f"{where}: {key!r}", got=value, expected=kind.__name__)
    return value


def _skipped(entries: list[Any]) -> list[Skip]:
    """The tasks of cells that were skipped, each once."""
    found: dict[str, Skip] = {}
    for i, entry in enumerate(entries):
        where = f"suite.json: skipped cell {i}"
        task = "-".join(_get(entry, kind, str, where) for kind in ("dataset", "bias"))
        why = _get(entry, "skipped", dict, where)
        found[task] = Skip(task, _get(why, "reason", str, where), _get(why, "do", str, where))
    return list(found.values())


def _tasks(entries: list[Any], skipped: list[Skip]) -> dict[str, Task]:
    if not entries and not skipped:
        raise BenchmarkError("suite.json has no cells", expected="at least one", do="Run the pipeline first.")
    tasks: dict[str, Task] = {}
    for i, entry in enumerate(entries):
        run = _run(entry, f"suite.json: cell {i}")
        task = tasks.setdefault(run.cell.task, Task(run.cell.task, []))
        if run.cell.method in task.methods:
            raise BenchmarkError("suite.json names a cell twice", got=run.cell.key, expected="each cell once")
        if task.runs and run.classes != task.classes:
            raise BenchmarkError(
                f"suite.json: cell {run.cell.key}: 'classes'",
                got=run.classes,
                expected=f"{task.classes}, as in the other cells of {task.key}",
            )
        task.runs.append(run)
    for task in tasks.values():
        task.runs = [run for _, runs in by_access(task) for run in runs]  # all tables and figures in this order
    return tasks


def _run(entry: Any, where: str) -> Run:
    if not isinstance(entry, dict):
        raise BenchmarkError(where, got=entry, expected="an object")
    cell = Cell(*(_get(entry, kind, str, where) for kind in ("dataset", "bias", "method")))
    where = f"suite.json: cell {cell.key}"
    classes = _get(entry, "classes", int, where)
    if classes < 2:
        raise BenchmarkError(f"{where}: 'classes'", got=classes, expected="at least 2")
    return Run(
        cell=cell,
        needs=_get(entry, "needs", str, where),
        source=_get(entry, "source", str, where),
        trained_through=_optional(entry, "trained_through", where),
        backbone=_get(entry, "backbone", str, where),
        epochs=_get(entry, "epochs", int, where),
        best_epoch=_get(entry, "best_epoch", list, where),
        data=_get(entry, "data", str, where),
        classes=classes,
        title=_optional(entry, "title", where) or "",
        masks_input=bool(entry.get("masks_input", False)),
        code=_optional(entry, "code", where) or "",
        registered_bias=_optional(entry, "registered_bias", where) or "",
        bias_settings=_get({"bias_settings": {}} | entry, "bias_settings", dict, where),
        not_defined=_get({"not_defined": {}} | entry, "not_defined", dict, where),
    )


def _optional(entry: dict[str, Any], key: str, where: str) -> str | None:
    return None if entry.get(key) is None else _get(entry, key, str, where)
