"""A submitted method minus one of the suite: the same test units and draws, but trainings of their own.

In a suite all methods start a seed from the same streams, so seeds are paired. A stranger's seed 0 has nothing to do
with ours, whatever its number: the variances of both sides' seeds add.

``variance = Var_bootstrap(difference of seed means) + s1² / S1 + s2² / S2``; the t quantile has
``(Vu + V1 + V2) / (Vu / (n - 1) + V1 / (S1 - 1) + V2 / (S2 - 1))`` degrees of freedom, as
:func:`benchmark.stats.interval.degrees_of_freedom` with one part more.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmark.api import Floats
from benchmark.stats.compare import Difference
from benchmark.stats.interval import DEFINED_DRAWS, ROUNDING, Interval
from benchmark.stats.track import Track


def unmatched_difference(ours: Track, theirs: Track, level: float = 0.95) -> Difference:
    """Ours minus theirs; bounds are not defined where there is no variance, or one seed on either side and none else.

    Args:
        ours: The submitted method's track.
        theirs: The reference's, on the same draws.
        level: Nominal coverage in (0, 1).
    """
    value = float(ours.values.mean() - theirs.values.mean())
    if ours.draws is None or theirs.draws is None:
        return _undefined(value, "the metric does not rest on test units")
    draws = ours.draws - theirs.draws
    defined = draws[np.isfinite(draws)]
    if not np.isfinite(value) or len(defined) < max(2, DEFINED_DRAWS * len(draws)):
        return _undefined(value, "the value is not defined in enough draws")
    n_units = int(min(ours.n_units.min(), theirs.n_units.min()))
    parts = [(float(defined.var(ddof=1)), n_units - 1), _of_seeds(ours.values), _of_seeds(theirs.values)]
    variance = sum(part for part, _ in parts)
    if n_units < 2 or variance <= (ROUNDING * max(1.0, abs(value))) ** 2:
        return _undefined(value, "no variance between units or seeds")
    df = variance / sum(part / freedom for part, freedom in parts if part > 0)
    se, span = variance**0.5, ours.metric.high - ours.metric.low
    half = float(stdtrit(df, (1 + level) / 2)) * se
    interval = Interval(value, max(-span, value - half), min(span, value + half), se, df)
    return Difference(interval, float(2 * stdtr(df, -abs(value) / se)))


def _of_seeds(values: Floats) -> tuple[float, int]:
    """Variance of the mean, and its degrees of freedom; of a single seed it is unknown and counts as none."""
    if len(values) < 2:
        return 0.0, 1
    return float(values.var(ddof=1)) / len(values), len(values) - 1


def _undefined(value: float, reason: str) -> Difference:
    return Difference(Interval(value, np.nan, np.nan, np.nan, np.nan, reason), np.nan)
