"""What git holds of a suite: the facts and the stored predictions of its cells, from which every table is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import paths
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.explainers.conventions import trained_by_maps
from benchmark.files import read_json
from benchmark.predictions import Predictions
from benchmark.slopes import SLOPE_COLUMNS, slope_rows
from benchmark.summary import Summarised, summarise
from benchmark.tables import write_csv


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
        BenchmarkError: If a file of a cell is missing or damaged.
    """
    facts = {}
    for cell in suite.suite().cells():
        if not (path := suite.facts(cell)).is_file():
            do = f"Run `dvc repro {suite.pipeline}`."
            raise BenchmarkError(f"facts of cell {cell.key} are missing", got=str(path), do=do)
        facts[cell] = read_json(path)
    present = [cell for cell, fact in facts.items() if "skipped" not in fact]
    return Stored(facts, {cell: Predictions.read(suite.predictions(cell)) for cell in present})


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
