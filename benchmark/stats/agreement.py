"""Do two measures rank the methods alike? The rank correlation over methods, with an interval.

``τ_b`` (Kendall) or ``ρ`` (Spearman) of the methods' seed means by one measure and by the other. A draw takes new units
(draw ``b`` is the same for all methods) and, within each method, seeds with replacement: the same ones for both
measures, because both looked at the same trained models.

Noise pulls a rank correlation towards 0, and draws add noise to noise: their percentiles are pulled twice. Reflected
at the value (``2 value - percentile``) they are pulled back once. Neither pair alone holds its level, so the bounds are
the outer ones of both. Even these cannot undo the first pull: where methods differ by less than the noise of their
values, a low correlation may be noise (``docs/statistics.md``). The interval speaks of *these* methods, not of others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.stats.interval import DEFINED_DRAWS, Interval

DIGITS = 12
"""Of a measure's largest value; what differs less is tied."""

FEWEST = 4
"""Methods. Three can be ordered in six ways only."""

Kind = Literal["kendall", "spearman"]


def rank_correlation(
    first_values: Floats,
    first_draws: Floats,
    second_values: Floats,
    second_draws: Floats,
    rng: np.random.Generator,
    *,
    kind: Kind = "kendall",
    level: float = 0.95,
) -> Interval:
    """The rank correlation of M methods by two measures, in [-1, 1]; ties count as ties.

    Turn a measure round (``-values``, ``-draws``) where less is better, if agreement is to be positive.

    Args:
        first_values: ``[M, S]`` the first measure of each method and seed.
        first_draws: ``[M, S, B]`` the same under each bootstrap draw of units.
        second_values: ``[M, S]`` the second measure, of the same methods and seeds in the same order.
        second_draws: ``[M, S, B]`` under the same draws, where both measures rest on the same units.
        rng: Draws the seeds.
        kind: ``kendall`` (τ_b) or ``spearman``.
        level: Nominal coverage in (0, 1).

    Returns:
        ``se`` is the draws' standard deviation, ``df`` is NaN. A method with an undefined value is left out, and
        ``reason`` says how many were. Bounds are not defined, with the reason, where fewer than 4 methods are left, a
        measure gives all of them the same value, or too many draws are not defined.

    Raises:
        BenchmarkError: If shapes do not fit, there are fewer than 2 draws, or kind or level are not valid.

    Source:
        Kendall 1945, The treatment of ties in ranking problems; percentile and basic (reflected) bounds: Davison and
        Hinkley, Bootstrap Methods, 1997, sections 5.2 and 5.3.
    """
    values = _pair("values", first_values, second_values, "[M, S]")
    draws = _pair("draws", first_draws, second_draws, "[M, S, B]")
    _check(values, draws, kind, level)
    means = _ties(values.mean(2))
    kept = np.flatnonzero(np.isfinite(means[0] + means[1]))
    lost = means.shape[1] - len(kept)
    left_out = f"{lost} of {means.shape[1]} methods left out: not defined" if lost else ""
    if len(kept) < FEWEST:
        return _undefined(np.nan, f"{len(kept)} methods with both measures, {FEWEST} are needed")
    value = float(CORRELATIONS[kind](*means[:, kept, None])[0])
    if np.isnan(value):
        return _undefined(value, "a measure gives all methods the same value")
    found = CORRELATIONS[kind](*_ties(_resampled(draws[:, kept], rng)))
    defined = found[np.isfinite(found)]
    if len(defined) < max(2, DEFINED_DRAWS * len(found)):
        return _undefined(value, f"the correlation is defined in {len(defined)} of {len(found)} draws only")
    below, above = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    low, high = max(-1.0, min(below, 2 * value - above)), min(1.0, max(above, 2 * value - below))
    return Interval(value, float(low), float(high), float(defined.std(ddof=1)), np.nan, left_out)


def _resampled(draws: Floats, rng: np.random.Generator) -> Floats:
    """``[2, M, S, B]`` -> ``[2, M, B]``: the mean over S seeds drawn with replacement, by method and draw."""
    _, methods, seeds, number = draws.shape
    count = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=(methods, number)) / seeds
    chosen = np.where(count > 0, np.moveaxis(draws, 2, 3), 0.0)  # an undefined seed that is not drawn does no harm
    mean: Floats = np.einsum("kmbs,mbs->kmb", chosen, count)
    return mean


def kendall(first: Floats, second: Floats) -> Floats:
    """``[M, B]`` twice -> ``[B]``: ``τ_b = Σ sign(x_i - x_j) sign(y_i - y_j) / √(pairs untied in x · in y)``.

    NaN where a measure is undefined for a method or ties all of them.
    """
    upper = np.triu_indices(len(first), 1)
    above, other = (np.sign(measure[upper[0]] - measure[upper[1]]) for measure in (first, second))
    with np.errstate(invalid="ignore"):
        tau: Floats = (above * other).sum(0) / np.sqrt((above**2).sum(0) * (other**2).sum(0))
    return tau


def spearman(first: Floats, second: Floats) -> Floats:
    """``[M, B]`` twice -> ``[B]``: Pearson's correlation of the average ranks; NaN as in :func:`kendall`."""
    from scipy.stats import rankdata  # slow to import

    ranks = (rankdata(measure, axis=0, nan_policy="propagate") for measure in (first, second))
    x, y = (rank - rank.mean(0) for rank in ranks)
    with np.errstate(invalid="ignore"):
        rho: Floats = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    return rho


CORRELATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {"kendall": kendall, "spearman": spearman}


def _undefined(value: float, reason: str) -> Interval:
    return Interval(value, np.nan, np.nan, np.nan, np.nan, reason)


def _ties(measures: Floats) -> Floats:
    """``[2, ...]``: equal numbers made equal again, which sums over seeds in another order leave apart by rounding."""
    axes = tuple(range(1, measures.ndim))
    size = np.nanmax(np.abs(measures), axis=axes, keepdims=True, initial=0.0)
    tied: Floats = np.round(measures / np.where(size > 0, size, 1.0), DIGITS)
    return tied


def _pair(name: str, first: Floats, second: Floats, expected: str) -> Floats:
    """``[2, ...]``."""
    if np.shape(first) != np.shape(second) or np.ndim(first) != expected.count(",") + 1:
        raise BenchmarkError(
            f"{name} of a rank correlation",
            got=f"shapes {np.shape(first)} and {np.shape(second)}",
            expected=f"{expected} by both measures: the same methods, seeds and draws",
        )
    return np.stack([np.asarray(first, float), np.asarray(second, float)])


def _check(values: Floats, draws: Floats, kind: str, level: float) -> None:
    if draws.shape[:3] != values.shape or not values.shape[2] or draws.shape[3] < 2:
        raise BenchmarkError(
            "draws of a rank correlation",
            got=f"values {values.shape[1:]}, draws {draws.shape[1:]}",
            expected="[M, S] and [M, S, B] with S >= 1 and B >= 2",
        )
    if kind not in CORRELATIONS:
        raise_unknown("rank correlation", kind, CORRELATIONS)
    if not 0 < level < 1:
        raise BenchmarkError("level of an interval", got=level, expected="a number between 0 and 1", do="Try 0.95.")
