"""From stored predictions to tidy rows: scores of every seed, and summaries with intervals and differences.

All methods of one task (dataset and bias) are resampled with the same draws, so their differences are paired. Variants
on the same images share them too; other images (``external``) have a stream of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmark.api import SCORE_COLUMNS, Score
from benchmark.cell import Cell
from benchmark.comparisons import COMPARISON_COLUMNS, Compared, ComparisonRow, comparison_rows
from benchmark.errors import BenchmarkError
from benchmark.predictions import COLUMNS, Predictions
from benchmark.processes import in_processes
from benchmark.rankings import AGREEMENT_COLUMNS, AgreementRow, agreement_rows
from benchmark.scoring.settings import suffix
from benchmark.stats.compare import Difference, holm
from benchmark.stats.track import Track, Weights
from benchmark.stats.tracks import Key, differences, tracks_of
from benchmark.stats.weights import draw_weights
from benchmark.tables import write_csv
from benchmark.verdicts import GUARD_COLUMNS, GuardRow, guard_rows


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


class Summarised(NamedTuple):
    """All tables of a suite, and the tracks that they are made of."""

    scores: list[Score]
    rows: list[SummaryRow]
    comparisons: list[ComparisonRow]
    agreement: list[AgreementRow]
    guards: list[GuardRow]
    tracks: dict[Cell, dict[Key, Track]]

    def write(self, folder: Path) -> None:
        """Writes the tables into a results folder."""
        write_csv(folder / "scores.csv", self.scores, SCORE_COLUMNS)
        write_csv(folder / "summary.csv", self.rows, SUMMARY_COLUMNS)
        write_csv(folder / "comparisons.csv", self.comparisons, COMPARISON_COLUMNS)
        write_csv(folder / "agreement.csv", self.agreement, AGREEMENT_COLUMNS)
        write_csv(folder / "guards.csv", self.guards, GUARD_COLUMNS)


def summarise(
    predictions: Mapping[Cell, Predictions],
    *,
    reference: str = "erm",
    explained: Set[Cell] = frozenset(),
    draws: int = 2000,
    seed: int = 0,
) -> Summarised:
    """Scores every cell and compares the methods of each task with its reference.

    Args:
        predictions: The cells, in the order of the table.
        reference: The method that the others are compared with; a task without it gets no differences.
        explained: The cells whose methods are trained through an explainer, or blank their input's background: the
            rankings are compared without them, too.
        draws: Number of bootstrap draws, at least 2.
        seed: Of the bootstrap.

    Returns:
        Rows of ``scores.csv``, ``summary.csv``, ``comparisons.csv``, ``agreement.csv`` and ``guards.csv``, and the
        tracks of each cell. Those of one task are on the same draws: their differences are paired.

    Raises:
        BenchmarkError: If cells of one task hold other variants, images or seeds than the reference, a cell has no
            variant ``iid``, or a variant has fewer than 2 units.
    """
    scores: dict[Cell, list[Score]] = {}
    rows: dict[Cell, list[SummaryRow]] = {}
    comparisons: list[ComparisonRow] = []
    agreement: list[AgreementRow] = []
    guards: list[GuardRow] = []
    every: dict[Cell, dict[Key, Track]] = {}
    for task in dict.fromkeys(cell.task for cell in predictions):
        cells = {cell: stored for cell, stored in predictions.items() if cell.task == task}
        first = next((cell for cell in cells if cell.method == reference), next(iter(cells)))
        base, paired = cells[first], first.method == reference
        for cell, stored in cells.items():
            _check(cell, stored, first, base, paired=paired)
        weights = draw_weights(base, task, draws, seed)
        tracks = _tracks(cells, weights)
        every |= tracks
        compared = _differences(tracks, first, cells, weights) if paired else {}
        adjusted = _holm_families(compared)
        for cell, stored in cells.items():
            scores[cell] = _scores(cell, stored, tracks[cell])
            rows[cell] = [
                _summary(cell, track, compared.get(cell, {}).get(key), adjusted.get((cell, key), math.nan))
                for key, track in tracks[cell].items()
            ]
        judged = {cell: guard_rows(cell, tracks[cell]) for cell in cells}
        guards += [row for rows_ in judged.values() for row in rows_]
        unfit = {(cell, suffix(row.explainer)) for cell, rows_ in judged.items() for row in rows_ if row.verdict}
        if paired:
            comparisons += comparison_rows(Compared(first, cells, tracks, compared), seed)
            agreement += agreement_rows(tracks, explained, seed, unfit)
    ordered = [s for cell in predictions for s in scores[cell]], [r for cell in predictions for r in rows[cell]]
    return Summarised(*ordered, comparisons, agreement, guards, {cell: every[cell] for cell in predictions})


def _tracks(cells: Mapping[Cell, Predictions], weights: Weights) -> dict[Cell, dict[Key, Track]]:
    with threadpool_limits(1):  # a cell a core already
        found = in_processes(lambda stored: tracks_of(stored, weights), cells.values())
    return dict(zip(cells, found, strict=True))


def _differences(
    tracks: Mapping[Cell, Mapping[Key, Track]], first: Cell, cells: Mapping[Cell, Predictions], weights: Weights
) -> dict[Cell, dict[Key, Difference]]:
    others = [cell for cell in cells if cell != first]
    with threadpool_limits(1):
        found = in_processes(lambda cell: differences(tracks[cell], tracks[first], cells[cell], weights), others)
    return dict(zip(others, found, strict=True))


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
