"""``runs.csv`` and ``training.csv``: how each model of a suite was trained, from the facts of its cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.cell import Cell
from benchmark.made import NO_RECORD, UNKNOWN, Entry
from benchmark.trainings import RUN_FACTS

RUN_COLUMNS = ("dataset", "bias", "method", *RUN_FACTS, "commit", "trained", "seconds", "why")
TRAINING_COLUMNS = ("dataset", "bias", "method", "seed", "epoch", "phase", "quantity", "value")
PLACE = ("epoch", "phase")

NOTHING: Entry = {**UNKNOWN, "why": NO_RECORD}
"""The entry of a seed that has none."""

Facts = Mapping[Cell, Mapping[str, Any]]
"""Of every cell; one that was skipped, or whose facts are of before, holds no runs."""


def run_rows(facts: Facts, made: Mapping[Cell, Mapping[str, Entry]]) -> Iterator[dict[str, Any]]:
    """Rows of ``runs.csv``: one a trained model.

    Args:
        facts: Of every cell.
        made: Of the cells that have a record, the entry of each seed.
    """
    for cell, told in facts.items():
        for run in told.get("runs", ()):
            entry = made.get(cell, {}).get(str(run["seed"]), NOTHING)
            yield {**_names(cell), **{name: run[name] for name in RUN_FACTS}, **_made(entry)}


def _made(entry: Entry) -> dict[str, Any]:
    """Commit (with ``-dirty`` where code or settings differed from it), day and time, seconds, why one is empty."""
    changed = "-dirty" if entry["dirty"] else ""
    return {
        "commit": f"{entry['commit']}{changed}" if entry["commit"] else None,
        "trained": entry["started"],
        "seconds": entry["seconds"],
        "why": entry["why"],
    }


def training_rows(facts: Facts) -> Iterator[dict[str, Any]]:
    """Rows of ``training.csv``: one a trained model, epoch and logged quantity."""
    for cell, told in facts.items():
        for run, curve in zip(told.get("runs", ()), told.get("curves", ()), strict=True):
            for row, (epoch, phase) in enumerate(zip(*(curve[name] for name in PLACE), strict=True)):
                place = {**_names(cell), "seed": run["seed"], "epoch": int(epoch or 0), "phase": int(phase or 0)}
                for name in (name for name in curve if name not in PLACE):
                    if (value := curve[name][row]) is not None:
                        yield {**place, "quantity": name, "value": value}


def _names(cell: Cell) -> dict[str, str]:
    return {"dataset": cell.dataset, "bias": cell.bias, "method": cell.method}
