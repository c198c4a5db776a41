"""How each model of a suite was trained: its record and its curve, as stage ``score`` keeps them in a cell's facts.

The logs of trainings stay in ``runs/``, which is not in git; what the report shows of them is in ``cells/<cell>.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.tables import read_rows

RUN_FACTS = ("seed", "device", "epochs", "best_epoch", "data", "code")

Curve = dict[str, list[float | None]]
"""Column of a training's log to its values, a row an epoch; ``None`` where a phase does not have it."""


def run_facts(records: Sequence[Mapping[str, Any]], logs: Sequence[Path]) -> dict[str, Any]:
    """What a cell's facts hold of its trainings: their records and logs, seed by seed."""
    told = [{name: record[name] for name in RUN_FACTS} for record in records]
    return {"runs": told, "curves": [read_curve(log) for log in logs]}


def read_curve(path: Path) -> Curve:
    """The log of one training, to six significant digits."""
    rows = read_rows(path)
    return {name: [float(f"{float(row[name]):.6g}") if row[name] else None for row in rows] for name in rows[0]}
