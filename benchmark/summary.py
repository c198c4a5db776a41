"""From stored predictions to tidy rows: scores of every seed, and summaries with intervals and differences.

All methods of one task (dataset and bias) are resampled with the same draws, so their differences are paired. Variants
on the same images share them too; other images (``external``) have a stream of their own.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np

from benchmark.api import Floats, Score
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.files import write_text
from benchmark.predictions import COLUMNS, Predictions, image_sets
from benchmark.seeding import numpy_stream
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.compare import Difference, holm
from benchmark.stats.tracks import Key, Track, Weights, differences, tracks_of

Row = TypeVar("Row")


@dataclass(frozen=True)
class SummaryRow:
    """One cell, variant and metric over all seeds: a row of ``summary.csv``.

    Attributes:
        value: Mean over seeds.
        low: Lower bound, 95 % confidence over units and seeds; NaN if not defined.
        high: Upper bound; NaN if not defined.
        n_units: Test units with a defined value, for the seed that has fewest; 0 for a validation loss.
        diff: Value minus the reference's, on the same units, draws and seeds; NaN without a reference.
        diff_low: Lower bound of ``diff``.
        diff_high: Upper bound of ``diff``.
        p_holm: Two-sided p-value of ``diff``, Holm-adjusted over the methods of the task, variant and metric.
    """

    dataset: str
    bias: str
    method: str
    variant: str
    family: str
    metric: str
    value: float
    low: float
    high: float
    n_units: int
    n_seeds: int
    diff: float = math.nan
    diff_low: float = math.nan
    diff_high: float = math.nan
    p_holm: float = math.nan


SUMMARY_COLUMNS = tuple(field.name for field in fields(SummaryRow))


def summarise(
    predictions: Mapping[Cell, Predictions], *, reference: str = "erm", draws: int = 2000, seed: int = 0
) -> tuple[list[Score], list[SummaryRow]]:
    """Scores every cell and compares the methods of each task with its reference.

    Args:
        predictions: The cells, in the order of the table.
        reference: The method that the others are compared with; a task without it gets no differences.
        draws: Number of bootstrap draws, at least 2.
        seed: Of the bootstrap.

    Returns:
        Rows of ``scores.csv`` and of ``summary.csv``.

    Raises:
        BenchmarkError: If cells of one task hold other variants, images or seeds than the reference, a cell has no
            variant ``iid``, or a variant has fewer than 2 units.
    """
    scores: dict[Cell, list[Score]] = {}
    rows: dict[Cell, list[SummaryRow]] = {}
    for task in dict.fromkeys(cell.task for cell in predictions):
        cells = {cell: stored for cell, stored in predictions.items() if cell.task == task}
        first = next((cell for cell in cells if cell.method == reference), next(iter(cells)))
        base, paired = cells[first], first.method == reference
        for cell, stored in cells.items():
            _check(cell, stored, first, base, paired=paired)
        weights = _weights(base, task, draws, seed)
        tracks = {cell: tracks_of(stored, weights) for cell, stored in cells.items()}
        others = [cell for cell in cells if paired and cell != first]
        compared = {cell: differences(tracks[cell], tracks[first], cells[cell], weights) for cell in others}
        adjusted = _holm_families(compared)
        for cell, stored in cells.items():
            scores[cell] = _scores(cell, stored, tracks[cell])
            rows[cell] = [
                _summary(cell, track, compared.get(cell, {}).get(key), adjusted.get((cell, key), math.nan))
                for key, track in tracks[cell].items()
            ]
    return [s for cell in predictions for s in scores[cell]], [r for cell in predictions for r in rows[cell]]


def _check(cell: Cell, stored: Predictions, first: Cell, base: Predictions, *, paired: bool) -> None:
    if "iid" not in stored.logits:
        raise BenchmarkError(f"cell {cell.key} lacks the variant 'iid'", got=sorted(stored.logits))
    same: dict[str, tuple[Any, Any]] = {"variants": (list(stored.tested), list(base.tested))}
    if paired:
        same["seeds"] = stored.seeds, base.seeds
    for variant, ours in stored.tested.items():
        theirs = base.tested.get(variant, ours)
        if (units := len(np.unique(ours.unit))) < 2:
            raise BenchmarkError(f"number of test units of {cell.key}, {variant}", got=units, expected="at least 2")
        same |= {f"{name} of {variant}": (getattr(ours, name), getattr(theirs, name)) for name in COLUMNS}
        if paired and stored.image_scores and base.image_scores:
            same[f"subset of {variant}"] = stored.subset[variant], base.subset.get(variant)
    for name, pair in same.items():
        if not np.array_equal(*pair):
            raise BenchmarkError(
                f"{name} of cell {cell.key} differs from {first.key}",
                expected="the same values in the same order for all methods of a task",
                do="Train and test both on the same pack with the same seeds.",
            )
    strata = stored.attributes.get("strata", "")
    if strata not in ("", "label") or strata != base.attributes.get("strata", ""):
        expected = f"'label' or '' as in {first.key}"
        raise BenchmarkError(f"attribute 'strata' of {cell.key}", got=strata, expected=expected)


def _weights(base: Predictions, task: str, draws: int, seed: int) -> Weights:
    """How often each image of each variant counts in each draw.

    A set of images is drawn once for all variants that show it: the first set by the stream of the task, another by a
    stream of its own. A unit that is in two sets is drawn in each independently: the interval of a gap between
    them is then too wide rather than too narrow.
    """
    weights: dict[str, Floats] = {}
    for first, variants in image_sets(base.tested).items():
        tested, names = base.tested[first], () if first == "iid" else (first,)
        strata = tested.label if base.attributes.get("strata") == "label" else None
        rng = numpy_stream(seed, "bootstrap", task, *names)
        weights |= dict.fromkeys(variants, resample_counts(tested.unit, draws, rng, strata))
    return weights


def _holm_families(compared: Mapping[Cell, Mapping[Key, Difference]]) -> dict[tuple[Cell, Key], float]:
    adjusted: dict[tuple[Cell, Key], float] = {}
    for key in {key for found in compared.values() for key in found}:
        members = [cell for cell in compared if key in compared[cell]]
        p = holm(np.array([compared[cell][key].p for cell in members]))
        adjusted |= {(cell, key): float(value) for cell, value in zip(members, p, strict=True)}
    return adjusted


def _scores(cell: Cell, stored: Predictions, tracks: Mapping[Key, Track]) -> list[Score]:
    names = (cell.dataset, cell.bias, cell.method)
    return [
        Score(*names, int(seed), t.variant, t.metric.family, t.metric.name, float(t.values[s]), int(t.n_units[s]))
        for s, seed in enumerate(stored.seeds)
        for t in tracks.values()
    ]


def _summary(cell: Cell, track: Track, found: Difference | None, p_holm: float) -> SummaryRow:
    names = (cell.dataset, cell.bias, cell.method, track.variant, track.metric.family, track.metric.name)
    own, sizes = track.interval(), (int(track.n_units.min()), len(track.values))
    if found is None:
        return SummaryRow(*names, own.value, own.low, own.high, *sizes)
    diff = found.interval
    return SummaryRow(*names, own.value, own.low, own.high, *sizes, diff.value, diff.low, diff.high, p_holm)


# --- tables -----------------------------------------------------------------------------------------


def write_csv(path: Path, rows: Iterable[Any], columns: Sequence[str]) -> None:
    """Writes rows (dataclasses or mappings), atomically; floats so that they read back exactly, NaN as nothing.

    Raises:
        BenchmarkError: If a row lacks a column or has another one.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        record = row if isinstance(row, Mapping) else asdict(row)
        if set(record) != set(columns):
            raise BenchmarkError(f"row of {Path(path).name}", got=sorted(record), expected=", ".join(columns))
        writer.writerow([_field(record[column]) for column in columns])
    write_text(path, stream.getvalue())


def _field(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else str(value)


def read_csv(path: Path, kind: type[Row]) -> list[Row]:
    """Reads what :func:`write_csv` wrote from rows of one dataclass; an empty field of a number is NaN.

    Args:
        path: The file.
        kind: A dataclass with ``str``, ``int`` and ``float`` fields, such as :class:`benchmark.api.Score`.

    Raises:
        BenchmarkError: If the columns are not the dataclass's, or a field cannot be read as its type.
    """
    types = get_type_hints(kind)
    with Path(path).open(encoding="utf-8", newline="") as stream:
        table = csv.reader(stream)
        if (header := next(table, [])) != list(types):
            raise BenchmarkError(f"columns of {path}", got=header, expected=", ".join(types))
        return [kind(**_record(path, table.line_num, line, types)) for line in table]


def _record(path: Path, number: int, line: list[str], types: Mapping[str, type]) -> dict[str, Any]:
    if len(line) != len(types):
        raise BenchmarkError(f"line {number} of {path}", got=f"{len(line)} fields", expected=f"{len(types)}")
    record = {}
    for text, (name, kind) in zip(line, types.items(), strict=True):
        try:
            record[name] = math.nan if kind is float and text == "" else kind(text)
        except ValueError as error:
            raise BenchmarkError(f"{name} in line {number} of {path}", got=text, expected=f"{kind.__name__}") from error
    return record
