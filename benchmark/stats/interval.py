"""Confidence intervals that count both sources of variance: the test units and the training seeds.

``variance = Var_bootstrap(seed mean) + s²_seed / S``. Seeds alone ignore that the test sample is small, the
bootstrap alone ignores that another training would have given another model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from benchmark.api import Floats, Ints
from benchmark.errors import BenchmarkError

ROUNDING = 1e-12
"""A standard error below this share of the value is rounding, not variance."""

DEFINED_DRAWS = 0.9
"""With fewer defined draws, what is left no longer stands for the test sample."""


@dataclass(frozen=True)
class Interval:
    """A value and what it may be.

    Attributes:
        value: Mean over seeds.
        low: Lower bound; NaN if not defined.
        high: Upper bound; NaN if not defined.
        se: Standard error.
        df: Degrees of freedom of the t quantile; NaN where no t quantile was used.
        reason: Why bounds are not defined, or that they are Wilson's; else empty.
    """

    value: float
    low: float
    high: float
    se: float
    df: float
    reason: str = ""


def variance_sum(
    values: Floats,
    draws: Floats,
    n_units: int,
    *,
    level: float = 0.95,
    low: float = -np.inf,
    high: float = np.inf,
) -> Interval:
    """The interval of a seed mean over new units and new trainings.

    The t quantile has the :func:`degrees_of_freedom` of the two; with one seed only ``Vu`` counts, and the
    interval speaks of this checkpoint alone. Without any variance (all images right for all seeds) a value in
    [0, 1] gets Wilson's interval with ``n_units`` trials; in another range bounds are not defined.

    Args:
        values: ``[S]`` one value a seed, of all units.
        draws: ``[B]`` the seed mean under each bootstrap draw; NaN where not defined.
        n_units: Number of resampled units.
        level: Nominal coverage in (0, 1).
        low: Smallest possible value; bounds are clipped to it.
        high: Largest possible value; bounds are clipped to it.

    Raises:
        BenchmarkError: If there is no seed, there are fewer than 2 draws, or the level is not in (0, 1).

    Source:
        Cochran and Cox 1957 for two sources of variance (see :func:`degrees_of_freedom`); Wilson 1927.
    """
    values, draws = np.asarray(values, float), np.asarray(draws, float)
    _check(values, level)
    if draws.ndim != 1 or len(draws) < 2:
        raise BenchmarkError("draws of an interval", got=f"shape {draws.shape}", expected="[B] with B >= 2")
    value, seeds = float(values.mean()), len(values)
    defined = draws[np.isfinite(draws)]
    if not np.isfinite(value):
        return _undefined(value, "the value is not defined for every seed")
    if n_units < 2:
        return _undefined(value, f"{n_units} unit: sampling variance cannot be told")
    if len(defined) < max(2, DEFINED_DRAWS * len(draws)):
        return _undefined(value, f"the value is defined in {len(defined)} of {len(draws)} draws only")
    of_units = float(defined.var(ddof=1))
    of_seeds = float(values.var(ddof=1)) / seeds if seeds > 1 else 0.0
    if _is_rounding(of_units + of_seeds, value):
        if (low, high) != (0.0, 1.0):
            return _undefined(value, "no variance between units or seeds", se=0.0)
        below, above = wilson(value, n_units, level=level)
        bounds = min(value, max(low, below)), max(value, min(high, above))  # rounding at 0 and 1
        return Interval(value, *bounds, 0.0, np.nan, "no variance: Wilson's interval")
    df = degrees_of_freedom(of_units, n_units, of_seeds, seeds) if seeds > 1 else n_units - 1
    return _student(value, of_units + of_seeds, float(df), level, low, high)


def degrees_of_freedom(
    of_units: Floats | float, n_units: Floats | Ints | int, of_seeds: Floats | float, seeds: Floats | Ints | int
) -> Floats:
    """``(Vu + Vs) / (Vu / (n_units - 1) + Vs / (S - 1))``: of a sum of two variances, between those of its parts.

    Satterthwaite's formula has squares in the place of each ``V``. With few seeds that make up most of the variance it
    gives too many: a small ``s²`` makes the width and the quantile too small at once. This one weighs what is still
    unknown by variance, not by its square. To first order in 1 / df it gives the quantile of Cochran and Cox, the mean
    of both parts' t quantiles weighted by their variances.

    Args:
        of_units: ``Vu``, variance of the seed mean over test units.
        n_units: Number of units, at least 2.
        of_seeds: ``Vs``, variance between seeds ÷ their number.
        seeds: Number of seeds ``S``, at least 2.

    Source:
        Satterthwaite 1946, deviated from as said; Cochran and Cox, Experimental Designs, 1957, section 4.14. What both
        forms cover is in docs/statistics.md.
    """
    return np.asarray((of_units + of_seeds) / (of_units / (n_units - 1) + of_seeds / (seeds - 1)))


def wilson(share: float, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's bounds of a proportion: the ``p`` with ``(share - p)² = z² p (1 - p) / trials``.

    Our own, for statsmodels' `proportion_confint` brings pandas along (half a second); a test compares the two.

    Args:
        share: Observed, in [0, 1].
        trials: 1 or more.
        level: Nominal coverage in (0, 1).

    Source:
        Wilson, Journal of the American Statistical Association 22:209, 1927.
    """
    square = float(ndtri((1 + level) / 2)) ** 2 / trials
    centre = share + square / 2
    half = np.sqrt(square * (share * (1 - share) + square / 4))
    return float((centre - half) / (1 + square)), float((centre + half) / (1 + square))


def seeds_only(values: Floats, *, level: float = 0.95, low: float = -np.inf, high: float = np.inf) -> Interval:
    """Student's interval of a mean over seeds, for numbers that do not rest on test units.

    Args:
        values: ``[S]`` one value a seed; bounds are not defined for one seed or equal values.
        level: Nominal coverage in (0, 1).
        low: Smallest possible value; bounds are clipped to it.
        high: Largest possible value; bounds are clipped to it.

    Raises:
        BenchmarkError: If there is no seed or the level is not in (0, 1).
    """
    values = np.asarray(values, float)
    _check(values, level)
    value, seeds = float(values.mean()), len(values)
    if not np.isfinite(value):
        return _undefined(value, "the value is not defined for every seed")
    if seeds < 2:
        return _undefined(value, "one seed: training variance cannot be told")
    variance = float(values.var(ddof=1)) / seeds
    if _is_rounding(variance, value):
        return _undefined(value, "no variance between seeds", se=0.0)
    return _student(value, variance, seeds - 1, level, low, high)


def _student(value: float, variance: float, df: float, level: float, low: float, high: float) -> Interval:
    se = float(np.sqrt(variance))
    half = float(stdtrit(df, (1 + level) / 2)) * se
    return Interval(value, max(low, value - half), min(high, value + half), se, float(df))


def _undefined(value: float, reason: str, se: float = np.nan) -> Interval:
    return Interval(value, np.nan, np.nan, se, np.nan, reason)


def _is_rounding(variance: float, value: float) -> bool:
    return variance <= (ROUNDING * max(1.0, abs(value))) ** 2


def _check(values: Floats, level: float) -> None:
    if values.ndim != 1 or not len(values):
        raise BenchmarkError("values of an interval", got=f"shape {values.shape}", expected="[S] with S >= 1")
    if not 0 < level < 1:
        raise BenchmarkError("level of an interval", got=level, expected="a number between 0 and 1", do="Try 0.95.")
