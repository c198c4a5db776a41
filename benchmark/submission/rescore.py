"""A metric of somebody's own on the predictions that a suite stores: no data, no GPU, the suite's own statistics.

A metric that takes weights is bootstrapped as all others are: one call with ``weight [B, N]``, how often each image
counts in each draw. One that takes none is called once a draw on rows drawn with replacement, so it gets fewer draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.predictions import Predictions
from benchmark.report.words import REFERENCE
from benchmark.stats.compare import Difference, holm
from benchmark.stats.track import Track, Weights, known_track
from benchmark.stats.tracks import difference
from benchmark.stats.weights import draw_weights
from benchmark.submission.function import Scorer
from benchmark.submission.protocol import DRAWS
from benchmark.submission.stored import StoredTask

SLOW_DRAWS = 200
"""Of a metric without weights. 200 draws tell a standard error to 5 %."""

BLOCK = 256
"""Draws in one call: somebody's function may copy weights by images by classes."""

SAME = 1e-6
"""How closely weights must do what drawn rows do."""


@dataclass(frozen=True)
class RescoredRow:
    """One method and variant.

    Attributes:
        value: Mean over seeds.
        low: Lower bound, 95 % over units and seeds; NaN if not defined.
        high: Upper bound.
        n_units: Test units.
        diff: Value minus the reference's on the same units, draws and seeds; NaN for the reference.
        diff_low: Lower bound of ``diff``.
        diff_high: Upper bound.
        p_holm: Two-sided p of ``diff``, Holm-adjusted over the methods asked for.
        draws: Bootstrap draws behind the bounds.
        data: First digits of the SHA-256 of the biased pack.
        code: First digits of the SHA-256 of the code that trained the method.
    """

    dataset: str
    bias: str
    method: str
    variant: str
    metric: str
    value: float
    low: float
    high: float
    n_units: int
    n_seeds: int
    diff: float
    diff_low: float
    diff_high: float
    p_holm: float
    draws: int
    data: str
    code: str


COLUMNS = tuple(field.name for field in fields(RescoredRow))


def rescore(
    scorer: Scorer, stored: StoredTask, variants: Sequence[str] = (), draws: int | None = None
) -> list[RescoredRow]:
    """Rows of all methods and variants, methods in the order of the tables.

    Args:
        scorer: The metric.
        stored: The task's predictions.
        variants: Which to score; all by default.
        draws: Bootstrap draws; by default 2000, or 200 for a metric without weights.

    Raises:
        BenchmarkError: If a variant is unknown, the metric does not work or has no value somewhere, its weights do not
            act as counts, or methods have other seeds than the reference.
    """
    for name in variants:
        if name not in stored.tested:
            raise_unknown(f"variant of {stored.task}", name, stored.tested)
    chosen = [name for name in stored.tested if name in variants or not variants]
    count = draws or (SLOW_DRAWS if scorer.weight is None else DRAWS)
    weights = draw_weights(stored.base, stored.task, count, 0)
    if scorer.weight is not None:
        for variant in chosen:
            _check_weights(scorer, stored.base, variant, weights[variant][0])
    tracks = {
        variant: {cell: _track(scorer, cell, one, variant, weights) for cell, one in stored.predictions.items()}
        for variant in chosen
    }
    found = {variant: _differences(of, stored, weights) for variant, of in tracks.items()}
    return [
        _row(stored, cell, tracks[variant][cell], *found[variant].get(cell, (None, math.nan)), draws=count)
        for cell in stored.predictions
        for variant in chosen
    ]


def _track(scorer: Scorer, cell: Cell, stored: Predictions, variant: str, weights: Weights) -> Track:
    label, counts = frozen(stored.tested[variant].label), weights[variant]
    runs = [frozen(logits) for logits in stored.logits[variant]]
    values = [scorer(logits, label) for logits in runs]
    if len(broken := np.flatnonzero(np.isnan(values))):
        raise BenchmarkError(
            f"metric {scorer.target} is NaN for {cell.method} on {variant}, seed {stored.seeds[broken[0]]}",
            expected="a number for all test images",
            do="Mend the function, or leave the variant out with --variants.",
        )
    under = drawn_rows if scorer.weight is None else weighted
    return known_track(scorer.metric, variant, stored, values, [under(scorer, one, label, counts) for one in runs])


def weighted(scorer: Scorer, logits: Floats, label: Ints, counts: Floats) -> Floats:
    """``[B]`` the metric under each draw, by weights."""
    blocks = (counts[start : start + BLOCK] for start in range(0, len(counts), BLOCK))
    return np.concatenate([scorer(logits, label, frozen(block)) for block in blocks])


def drawn_rows(scorer: Scorer, logits: Floats, label: Ints, counts: Floats) -> Floats:
    """``[B]`` the metric under each draw, by rows that come as often as they were drawn."""
    rows = (np.repeat(np.arange(len(label)), count.astype(int)) for count in counts)
    return np.array([scorer(frozen(logits[row]), frozen(label[row])) for row in rows])


def _check_weights(scorer: Scorer, stored: Predictions, variant: str, counts: Floats) -> None:
    """Holds weights to their meaning: an image with the weight 2 counts as two images."""
    logits, label = stored.logits[variant][0], stored.tested[variant].label
    both = np.stack([np.ones_like(counts), counts])
    by_weight = scorer(frozen(logits), frozen(label), frozen(both))
    by_rows = np.array([drawn_rows(scorer, logits, label, row[None])[0] for row in both])
    if not np.allclose(by_weight, by_rows, rtol=SAME, atol=SAME, equal_nan=True):
        raise BenchmarkError(
            f"weights of metric {scorer.target} on {variant}",
            got=f"{by_weight.tolist()} by weights (ones, then how often each image was drawn)",
            expected=f"{by_rows.tolist()}, as of rows that are repeated so often",
            do="Weights are counts, and a metric draws nothing at random; or drop the parameter: rows are drawn then.",
        )


def _differences(
    tracks: Mapping[Cell, Track], stored: StoredTask, weights: Weights
) -> dict[Cell, tuple[Difference | None, float]]:
    """Of each method to the reference, with its adjusted p."""
    if (first := stored.reference) is None:
        return {}
    others = [cell for cell in tracks if cell != first]
    for cell in others:
        if not np.array_equal(stored.predictions[cell].seeds, stored.base.seeds):
            raise BenchmarkError(
                f"seeds of {cell.key}",
                got=stored.predictions[cell].seeds.tolist(),
                expected=f"{stored.base.seeds.tolist()} as {REFERENCE}: differences are paired by seed",
                do="Leave it out with --methods.",
            )
    found = {cell: difference(tracks[cell], tracks[first], stored.base, weights) for cell in others}
    p = holm(np.array([math.nan if each is None else each.p for each in found.values()]))
    return {cell: (each, float(value)) for (cell, each), value in zip(found.items(), p, strict=True)}


def _row(
    stored: StoredTask, cell: Cell, track: Track, found: Difference | None, p_holm: float, draws: int
) -> RescoredRow:
    own, none = track.interval(), (math.nan, math.nan, math.nan)
    diff = none if found is None else (found.interval.value, found.interval.low, found.interval.high)
    sizes, code = (int(track.n_units.min()), len(track.values)), str(stored.facts[cell].get("code", ""))
    names = (cell.dataset, cell.bias, cell.method, track.variant, track.metric.name)
    return RescoredRow(*names, own.value, own.low, own.high, *sizes, *diff, p_holm, draws, stored.data[:12], code)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, read-only: a function that works in place would change the next one's input."""
    view = array.view()
    view.flags.writeable = False
    return view
