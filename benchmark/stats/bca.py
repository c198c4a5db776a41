"""BCa: an interval of one checkpoint's value on new test units, whose ends are moved for bias and skewness.

The ends are the quantiles ``Φ(z0 + (z0 + z_q) / (1 - a (z0 + z_q)))`` of the draws, ``q = (1 ± level) / 2``, with

    z0 = Φ⁻¹(share of draws below the value, equal ones by half),
    a  = Σ d_u³ / (6 (Σ d_u²)^1.5),   d_u = mean of the jackknife - value without unit u.

It says nothing about another training: that is :func:`benchmark.stats.interval.variance_sum`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import ROUNDING, Interval, variance_sum

CELLS = 1 << 20
"""Weights made together by the jackknife: more would only take memory."""


def bca(
    value: float, draws: Floats, jackknife: Floats, *, level: float = 0.95, low: float = -np.inf, high: float = np.inf
) -> Interval:
    """Bias-corrected and accelerated interval; Wilson's or none without variance, as in ``variance_sum``.

    Args:
        value: Of all units.
        draws: ``[B]`` the value under each bootstrap draw; NaN where not defined.
        jackknife: ``[U]`` the value without each unit, see :func:`leave_one_out`.
        level: Nominal coverage in (0, 1).
        low: Smallest possible value; bounds are clipped to it.
        high: Largest possible value; bounds are clipped to it.

    Returns:
        ``df`` is NaN: there is no t quantile. ``reason`` tells where the bounds are plain percentiles of the draws
        (the bias or the acceleration is not finite, or the correction turns the ends around) or Wilson's.

    Raises:
        BenchmarkError: If there are fewer than 2 draws, no jackknife, or the level is not in (0, 1).

    Source:
        Efron 1987, Better bootstrap confidence intervals; ties by half as in SciPy.
    """
    draws, jackknife = np.asarray(draws, float), np.asarray(jackknife, float)
    if jackknife.ndim != 1 or not len(jackknife):
        raise BenchmarkError("jackknife of an interval", got=f"shape {jackknife.shape}", expected="[U] with U >= 2")
    plain = variance_sum(np.array([value]), draws, len(jackknife), level=level, low=low, high=high)
    if np.isnan(plain.df):
        return plain  # not defined, or Wilson's
    draws = draws[np.isfinite(draws)]
    quantiles = np.array([(1 - level) / 2, (1 + level) / 2])
    moved, reason = _moved(quantiles, value, draws, jackknife)
    below, above = np.quantile(draws, moved)
    return replace(plain, low=max(low, float(below)), high=min(high, float(above)), df=np.nan, reason=reason)


def leave_one_out(statistic: Callable[[Floats], Floats], unit: NDArray[Any]) -> Floats:
    """The jackknife of a statistic that takes weights.

    Args:
        statistic: ``weight [B, N] -> [B]``.
        unit: ``[N]`` the unit of each image.

    Returns:
        ``[U]`` the value without each unit, in the order of ``np.unique(unit)``.

    Raises:
        BenchmarkError: If there are fewer than 2 units.
    """
    names, member = np.unique(np.asarray(unit), return_inverse=True)
    if len(names) < 2:
        raise BenchmarkError("units of a jackknife", got=len(names), expected="at least 2")
    block = max(1, CELLS // len(member))
    return np.concatenate(
        [
            np.asarray(statistic((member != np.arange(start, min(start + block, len(names)))[:, None]).astype(float)))
            for start in range(0, len(names), block)
        ]
    )


def _moved(quantiles: Floats, value: float, draws: Floats, jackknife: Floats) -> tuple[Floats, str]:
    """The quantiles to take, and why they are the plain ones if they are."""
    bias = norm.ppf((np.mean(draws < value) + np.mean(draws <= value)) / 2)
    if not np.isfinite(bias):
        return quantiles, "percentiles: all draws lie on one side of the value"
    if not np.isfinite(jackknife).all():
        return quantiles, "percentiles: the value is not defined without some unit"
    away = jackknife.mean() - jackknife
    if np.ptp(jackknife) <= ROUNDING * np.abs(jackknife).max():
        return quantiles, "percentiles: no unit moves the value"
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    shift = bias + norm.ppf(quantiles)
    if (acceleration * shift >= 1).any():
        return quantiles, "percentiles: too skewed for BCa"
    return norm.cdf(bias + shift / (1 - acceleration * shift)), ""
