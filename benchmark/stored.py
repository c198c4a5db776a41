"""What git holds of a suite: the facts and the stored predictions of its cells, from which every table is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import claims, paths
from benchmark.cell import Cell
from benchmark.config import load
from benchmark.data.threads import in_threads
from benchmark.errors import BenchmarkError
from benchmark.explainers.conventions import trained_by_maps
from benchmark.files import read_json
from benchmark.made import read_made
from benchmark.metrics.sheet import METRIC_COLUMNS, metric_sheet
from benchmark.predictions import Predictions
from benchmark.reliability import RELIABILITY_COLUMNS, reliability_rows
from benchmark.scoring.settings import Scoring, suffix
from benchmark.slopes import SLOPE_COLUMNS, slope_rows
from benchmark.summary import Summarised, summarise
from benchmark.tables import write_csv
from benchmark.training_tables import RUN_COLUMNS, TRAINING_COLUMNS, run_rows, training_rows


class Stored(NamedTuple):
    """What a suite's tables are made of.

    Attributes:
        facts: Of every cell, the skipped ones too.
        predictions: Of the cells that were not skipped.
    """

    facts: dict[Cell, dict[str, Any]]
    predictions: dict[Cell, Predictions]


def read_stored(suite: paths.SuitePaths) -> Stored:
    """Facts and predictions of a suite's cells.

    Raises:
        BenchmarkError: If a file of a cell is missing or damaged, or predictions are of other data than the facts say.
    """
    facts = read_facts(suite)
    present = [cell for cell, fact in facts.items() if "skipped" not in fact]
    read = in_threads(lambda cell: Predictions.read(suite.predictions(cell)), present)
    stored = Stored(facts, dict(zip(present, read, strict=True)))
    _same_data(stored)
    return stored


def read_facts(suite: paths.SuitePaths) -> dict[Cell, dict[str, Any]]:
    """The facts of all cells of a suite, the skipped ones too.

    Raises:
        BenchmarkError: If facts are missing or are none.
    """
    facts = {}
    for cell in suite.suite().cells():
        if not (path := suite.facts(cell)).is_file():
            do = f"Run `dvc repro {suite.pipeline}`."
            raise BenchmarkError(f"facts of cell {cell.key} are missing", got=str(path), do=do)
        try:
            facts[cell] = read_json(path)
        except (OSError, ValueError) as error:
            raise BenchmarkError(f"facts of cell {cell.key} in {path} are damaged", got=str(error)) from error
        if not isinstance(facts[cell], dict):
            raise BenchmarkError(f"facts of cell {cell.key} in {path}", got=facts[cell], expected="names with values")
    return facts


def _same_data(stored: Stored) -> None:
    """Refuses predictions of other data than the cell's facts name, or than another cell's of the same task."""
    tasks: dict[str, tuple[str, str]] = {}
    for cell, predictions in stored.predictions.items():
        if not (data := predictions.attributes.get("data", "")):
            continue
        if (told := stored.facts[cell].get("data", "")) and not data.startswith(told):
            raise BenchmarkError(
                f"data of the predictions of cell {cell.key}", got=data, expected=f"{told}…, its facts'"
            )
        first, expected = tasks.setdefault(cell.task, (cell.key, data))
        if data != expected:
            raise BenchmarkError(
                f"data of the predictions of cell {cell.key}", got=data, expected=f"{expected}, as in {first}"
            )


def explained(facts: Mapping[Cell, Mapping[str, Any]]) -> set[Cell]:
    """The cells whose methods are trained through an explainer or blank their input: rankings leave them out, too."""
    by_maps = trained_by_maps()
    present = {cell: fact for cell, fact in facts.items() if "skipped" not in fact}
    return {c for c, fact in present.items() if fact["trained_through"] or fact["masks_input"] or c.method in by_maps}


def write_tables(stored: Stored, folder: Path) -> Summarised:
    """Writes every table that is made of predictions alone: ``scores.csv`` and those beside it, and ``slopes.csv``."""
    facts, predictions = stored
    tables = summarise(predictions, explained=explained(facts))
    tables.write(folder)
    dials = {cell: facts[cell].get("bias_settings", {}) for cell in predictions}
    biases = {cell: facts[cell].get("registered_bias", cell.bias) for cell in predictions}
    write_csv(folder / "slopes.csv", slope_rows(predictions, dials, biases), SLOPE_COLUMNS)
    return tables


def decide_claims(suite: paths.SuitePaths, stored: Stored, tables: Summarised) -> list[claims.ClaimRow]:
    """Decides a suite's claims: all draws are there, so any two methods of a task can be compared."""
    asked = claims.read_claims(suite.claims_yaml)
    seeds = {cell: predictions.seeds.tolist() for cell, predictions in stored.predictions.items()}
    costs = claims.read_costs(suite.results / "costs.csv")
    return claims.decide_all(asked, tables.tracks, costs, seeds=seeds, cells=list(stored.facts))


def write_all(suite: paths.SuitePaths, stored: Stored, folder: Path) -> None:
    """Writes every table of a suite; ``costs.csv``, which was measured, is read and not made."""
    tables = write_tables(stored, folder)
    asked = load(Scoring, suite.scoring_yaml).explainers
    metrics = metric_sheet((row.metric for row in tables.rows), {suffix(name): name for name in asked})
    write_csv(folder / "metrics.csv", metrics, METRIC_COLUMNS)
    write_csv(folder / "reliability.csv", reliability_rows(stored.predictions), RELIABILITY_COLUMNS)
    made = {cell: read_made(suite.made(cell)) for cell in stored.facts}
    write_csv(folder / "runs.csv", run_rows(stored.facts, made), RUN_COLUMNS)
    write_csv(folder / "training.csv", training_rows(stored.facts), TRAINING_COLUMNS)
    write_csv(folder / "claims.csv", decide_claims(suite, stored, tables), claims.COLUMNS)
