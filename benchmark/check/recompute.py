"""Tier (a): the tables of a suite once more from what git holds of its cells, and equal to the committed ones.

No training, no data, no torch: whatever reads ``results/<suite>/predictions`` in a clone gets the published numbers, or
is told which ones it does not get.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmark import paths
from benchmark.api import Score
from benchmark.check.equal import Kind, compare_tables
from benchmark.check.found import Left, Moved, Part
from benchmark.claims import ClaimRow
from benchmark.comparisons import ComparisonRow
from benchmark.errors import BenchmarkError
from benchmark.metrics.sheet import MetricRow
from benchmark.rankings import AgreementRow
from benchmark.reliability import ReliabilityRow
from benchmark.slopes import SlopeRow
from benchmark.stored import read_stored, write_all
from benchmark.summary import SummaryRow
from benchmark.training_tables import PLACE
from benchmark.verdicts import GuardRow

CELL = ("dataset", "bias", "method")


class Logged:
    """What is a real number in ``training.csv``."""

    value: float


TABLES = {
    "scores.csv": Kind(Score, ("dataset", "bias", "method", "seed", "variant", "metric")),
    "summary.csv": Kind(SummaryRow, ("dataset", "bias", "method", "variant", "metric")),
    "comparisons.csv": Kind(ComparisonRow, ("dataset", "bias", "method", "reference", "variant", "metric")),
    "agreement.csv": Kind(
        AgreementRow, ("dataset", "bias", "methods", "first_variant", "first", "second_variant", "second")
    ),
    "guards.csv": Kind(GuardRow, ("dataset", "bias", "method", "explainer")),
    "slopes.csv": Kind(SlopeRow, ("dataset", "bias", "dial", "held", "at", "method", "variant", "metric")),
    "reliability.csv": Kind(ReliabilityRow, ("dataset", "bias", "method", "variant", "bin")),
    "claims.csv": Kind(ClaimRow, ("name", "claim")),
    "metrics.csv": Kind(MetricRow, ("metric",)),
    "runs.csv": Kind(object, (*CELL, "seed")),
    "training.csv": Kind(Logged, (*CELL, "seed", *PLACE, "quantity")),
}
"""The tables that are made of predictions, facts and settings, with the columns that name a row."""

NEEDED = ("summary.csv", "scores.csv", "suite.json")


def recompute(suite: paths.SuitePaths) -> Part:
    """Makes a suite's tables again and compares every field.

    Raises:
        BenchmarkError: If the suite has no results, or a file that they are made of is missing or damaged.
    """
    part = Part(suite.name, "tables against stored predictions")
    if lacking := [name for name in NEEDED if not (suite.results / name).is_file()]:
        got = f"no file {suite.results / lacking[0]}"
        raise BenchmarkError(f"suite {suite.name} has no results to check", got=got, do=_repro(suite))
    stored = read_stored(suite)
    part.left += [
        Left(cell.key, f"skipped: {f['skipped']['reason']}", excused=True)
        for cell, f in stored.facts.items()
        if "skipped" in f
    ]
    if not stored.predictions:
        return part
    with tempfile.TemporaryDirectory() as name:
        write_all(suite, stored, Path(name))
        for table, kind in TABLES.items():
            if not (suite.results / table).is_file():
                part.moved.append(Moved(table, "(all rows)", "(file)", "-", "made again", "equal"))
                continue
            compared, moved = compare_tables(kind, suite.results / table, Path(name) / table)
            part.compared += compared
            part.moved += moved
    return part


def _repro(suite: paths.SuitePaths) -> str:
    return f"Run `dvc repro {suite.pipeline}`."
