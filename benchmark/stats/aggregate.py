"""Several cells as one number: the interquartile mean of all runs, and how often one method beats another.

For two to five data sets, where ranks say little (:mod:`benchmark.stats.ranks`). Intervals resample the seeds within
each cell: they tell what other trainings on the same data sets and test images would give, and neither that
other test images nor that other data sets would give something else.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import Interval


def interquartile_mean(values: Floats) -> Floats:
    """Mean of the middle half of all runs: a quarter of the ``C S`` values is cut at either end, rounded down.

    Less moved by one bad run than the mean, and less noisy than the median.

    Args:
        values: ``[..., C, S]`` of C cells and S seeds, on one scale.

    Returns:
        ``[...]``.

    Raises:
        BenchmarkError: If a value is not finite or there is none.

    Source:
        Agarwal et al., NeurIPS 2021, arXiv 2108.13264, section 4.3.
    """
    values = _checked(values)
    from scipy.stats import trim_mean  # slow to import

    middle: Floats = trim_mean(values.reshape(*values.shape[:-2], -1), 0.25, axis=-1)
    return middle


def probability_of_improvement(ours: Floats, theirs: Floats, *, higher_is_better: bool = True) -> Floats:
    """``mean over cells of P(X > Y) + P(X = Y) / 2``, for runs X of ours and Y of theirs: 0.5 is no difference.

    It tells how often, not by how much. Every run of a cell meets every other: seeds need not match.

    Args:
        ours: ``[..., C, S]`` of C cells and S seeds.
        theirs: ``[..., C, R]``, the same cells in the same order.
        higher_is_better: Direction; ``False`` asks for ``P(X < Y)``.

    Returns:
        ``[...]`` in [0, 1].

    Raises:
        BenchmarkError: If a value is not finite, there is none, or the cells differ in number.

    Source:
        Agarwal et al., NeurIPS 2021, arXiv 2108.13264, section 4.3; within a cell the U of Mann and Whitney 1947.
    """
    ours, theirs = _checked(ours), _checked(theirs)
    if ours.shape[:-1] != theirs.shape[:-1]:
        raise BenchmarkError(
            "cells of two methods", got=f"shapes {ours.shape} and {theirs.shape}", expected="[C, S] and [C, R]"
        )
    won = np.sign(ours[..., :, None] - theirs[..., None, :])  # a meeting: 1 won, 0 tied, -1 lost
    wins: Floats = (1 + won.mean((-1, -2)).mean(-1)) / 2
    return wins if higher_is_better else 1 - wins


def iqm_interval(values: Floats, draws: int, rng: np.random.Generator, *, level: float = 0.95) -> Interval:
    """The interquartile mean with its stratified bootstrap interval.

    Args:
        values: ``[C, S]``.
        draws: Number of bootstrap draws, at least 2.
        rng: The stream.
        level: Nominal coverage in (0, 1).

    Raises:
        BenchmarkError: If a value is not finite, the shape is another, or draws or level are out of range.
    """
    return _percentile(interquartile_mean, [values], draws, rng, level)


def improvement_interval(
    ours: Floats,
    theirs: Floats,
    draws: int,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    higher_is_better: bool = True,
) -> Interval:
    """The probability of improvement with its stratified bootstrap interval.

    Args:
        ours: ``[C, S]``.
        theirs: ``[C, R]``, the same cells in the same order.
        draws: Number of bootstrap draws, at least 2.
        rng: The stream.
        level: Nominal coverage in (0, 1).
        higher_is_better: Direction of the metric.

    Raises:
        BenchmarkError: If a value is not finite, shapes disagree, or draws or level are out of range.
    """

    def improvement(*sides: Floats) -> Floats:
        return probability_of_improvement(*sides, higher_is_better=higher_is_better)

    return _percentile(improvement, [ours, theirs], draws, rng, level)


def resample_seeds(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Draws the seeds of each cell anew, with replacement, in each cell by itself: ``[C, S] -> [draws, C, S]``."""
    values = np.asarray(values, float)
    rows = rng.integers(values.shape[1], size=(draws, *values.shape))
    return np.take_along_axis(values[None], rows, axis=-1)


def _percentile(
    statistic: Callable[..., Floats], sides: list[Floats], draws: int, rng: np.random.Generator, level: float
) -> Interval:
    """Quantiles of the draws, as in the paper. With S seeds their spread is short by about ``sqrt((S - 1) / S)``."""
    sides = [np.asarray(side, float) for side in sides]
    if draws < 2 or not 0 < level < 1 or any(side.ndim != 2 for side in sides):
        raise BenchmarkError(
            "bootstrap over seeds",
            got=f"shapes {[side.shape for side in sides]}, {draws} draws, level {level}",
            expected="[C, S] for C cells and S seeds, at least 2 draws and a level between 0 and 1",
        )
    value = float(statistic(*sides))
    if min(side.shape[1] for side in sides) < 2:
        return Interval(value, np.nan, np.nan, np.nan, np.nan, "one seed: training variance cannot be told")
    drawn = statistic(*(resample_seeds(side, draws, rng) for side in sides))
    if np.ptp(drawn) < 1e-12:
        return Interval(value, np.nan, np.nan, 0.0, np.nan, "no variance between draws of seeds")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), float(drawn.std(ddof=1)), np.nan)


def _checked(values: Floats) -> Floats:
    values = np.asarray(values, float)
    if values.ndim < 2 or not values.size:
        got = f"shape {values.shape}"
        raise BenchmarkError("values of cells", got=got, expected="[..., C, S] with C >= 1 cells and S >= 1 seeds")
    if not np.isfinite(values).all():
        cell = int(np.argwhere(~np.isfinite(values))[0][-2])
        raise BenchmarkError(f"value of cell {cell} is not finite", do="Leave out cells where it is not defined.")
    return values
