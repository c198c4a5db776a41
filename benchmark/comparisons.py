"""A method against the reference in every way that a careful reader asks for: rows of ``comparisons.csv``.

The headline is the paired difference with its variance-sum interval and Holm's p. Beside it stand checks that assume
less or something else. The family is fixed in advance: accuracy on each variant, all methods of a task against ``erm``;
the task's shift is the primary one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats
from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.seeding import numpy_stream
from benchmark.stats.aggregate import probability_of_improvement
from benchmark.stats.compare import Difference, holm
from benchmark.stats.equivalence import equivalent
from benchmark.stats.nested import nested, nested_draws
from benchmark.stats.permutation import max_t, sign_flip
from benchmark.stats.single_checkpoint import mcnemar
from benchmark.stats.track import Track
from benchmark.stats.tracks import Key

METRIC = "accuracy"
SHIFTS = ("deceiving", "external", "ood")
"""The primary variant of a task is the first of these that it has."""

MARGIN = 0.05
"""A loss of accuracy that small is none to speak of."""


@dataclass(frozen=True)
class ComparisonRow:
    """A method against the reference by accuracy on one variant.

    Attributes:
        primary: Whether this is the comparison that the task was planned for.
        diff: Method minus reference, paired.
        low: Lower bound of the variance-sum interval, 95 %.
        high: Upper bound.
        p: Two-sided, of the same t statistic.
        p_holm: Holm-adjusted over the methods of the task.
        p_max_t: Adjusted by the largest statistic of the same draws.
        p_sign_flip: Of the test units alone: signs of the units' differences flipped.
        nested_low: Lower bound of the nested bootstrap over seeds and units.
        nested_high: Upper bound.
        improvement: Probability that a run of the method beats a run of the reference.
        p_gap_equivalent: That the method's own gap (iid minus variant) is not within the margin, by two one-sided
            tests; empty on iid.
        margin: Of that test.
        p_mcnemar: McNemar's mid-p of each pair of seeds: single checkpoints, no claim about a method.
    """

    dataset: str
    bias: str
    method: str
    reference: str
    variant: str
    metric: str
    primary: bool
    diff: float
    low: float
    high: float
    p: float
    p_holm: float
    p_max_t: float
    p_sign_flip: float
    nested_low: float
    nested_high: float
    improvement: float
    p_gap_equivalent: float
    margin: float
    p_mcnemar: str
    n_units: int
    n_seeds: int


COMPARISON_COLUMNS = tuple(field.name for field in fields(ComparisonRow))


@dataclass(frozen=True)
class Compared:
    """What the cells of one task are compared by.

    Attributes:
        reference: Its cell.
        stored: Predictions of every cell of the task.
        tracks: Of every cell.
        found: The paired differences of every other cell.
    """

    reference: Cell
    stored: Mapping[Cell, Predictions]
    tracks: Mapping[Cell, Mapping[Key, Track]]
    found: Mapping[Cell, Mapping[Key, Difference]]


def comparison_rows(compared: Compared, seed: int) -> list[ComparisonRow]:
    """Every other method of the task on every variant; the draws are those of the summary."""
    first = compared.reference
    variants = [v for v in compared.stored[first].tested if (v, METRIC) in compared.tracks[first]]
    primary = next((variant for variant in SHIFTS if variant in variants), "")
    return [row for v in variants for row in _of_variant(compared, v, seed, primary=v == primary)]


def _of_variant(compared: Compared, variant: str, seed: int, *, primary: bool) -> list[ComparisonRow]:
    key, first = (variant, METRIC), compared.reference
    others = [cell for cell in compared.found if key in compared.found[cell]]
    if not others:
        return []
    theirs = compared.tracks[first][key]
    differences = [compared.found[cell][key] for cell in others]
    draws = np.stack([_draws(compared.tracks[cell][key]) - _draws(theirs) for cell in others])
    intervals = [difference.interval for difference in differences]
    p_holm = holm(np.array([difference.p for difference in differences]))
    columns = ([getattr(i, name) for i in intervals] for name in ("value", "se", "df"))
    value, se, df = (np.array(column, float) for column in columns)
    shared = nested_draws(draws, numpy_stream(seed, "max-t", first.task, variant))  # matched seeds go together
    p_max = max_t(shared, value, se, df)
    rows = []
    for place, cell in enumerate(others):
        ours, rng = compared.tracks[cell][key], numpy_stream(seed, "comparison", cell.key, variant)
        right = _right(compared.stored[cell], variant), _right(compared.stored[first], variant)
        unit = compared.stored[first].tested[variant].unit
        outer = nested(draws[place], rng, values=ours.values - theirs.values, low=-1.0, high=1.0)
        gap = compared.tracks[cell].get((variant, f"{METRIC}_gap"))
        rows.append(
            ComparisonRow(
                *(cell.dataset, cell.bias, cell.method, first.method, variant, METRIC, primary),
                *(intervals[place].value, intervals[place].low, intervals[place].high),
                *(differences[place].p, float(p_holm[place]), float(p_max[place])),
                sign_flip(right[0].mean(0) - right[1].mean(0), unit, rng),
                *(outer.low, outer.high),
                float(probability_of_improvement(ours.values[None], theirs.values[None])),
                np.nan if gap is None else equivalent(gap.interval(), MARGIN),
                MARGIN,
                "; ".join(f"{mcnemar(a, b).p:.3g}" for a, b in zip(*right, strict=True)),
                *(int(ours.n_units.min()), len(ours.values)),
            )
        )
    return rows


def _draws(track: Track) -> Floats:
    """``[S, B]``."""
    if track.seed_draws is None:
        raise TypeError(f"{track.metric.name} has no draws")
    return track.seed_draws


def _right(stored: Predictions, variant: str) -> NDArray[np.bool_]:
    """``[S, N]`` whether each seed has each image right."""
    return np.asarray(stored.logits[variant].argmax(2) == stored.tested[variant].label)
