"""Equivalence: evidence that two methods differ by less than a margin, which "not significant" is not.

Two one-sided tests, at ``-margin`` and at ``margin``; the larger p-value counts:
``p = max(P(t_df >= (d + margin) / se), P(t_df <= (d - margin) / se))``. It is below α if and only if the
``1 - 2 α`` interval (the 90 % interval for α = 5 %) lies inside ``(-margin, margin)``. The margin is named before the
results are seen.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from benchmark.errors import BenchmarkError
from benchmark.stats.interval import Interval


def equivalent(difference: Interval, margin: float) -> float:
    """P-value of "the difference is ``margin`` or more, one way or the other"; small speaks for equivalence.

    Args:
        difference: Method minus reference.
        margin: Largest size of a difference that does not matter, > 0, in the metric's unit.

    Returns:
        In [0, 1]; NaN where the difference has no standard error or degrees of freedom.

    Raises:
        BenchmarkError: If the margin is not a positive number.

    Source:
        Schuirmann 1987, A comparison of the two one-sided tests procedure.
    """
    return float(np.maximum(not_worse(difference, margin), not_worse(difference, margin, higher_is_better=False)))


def not_worse(difference: Interval, margin: float, *, higher_is_better: bool = True) -> float:
    """P-value of "the method is worse by ``margin`` or more"; small speaks for "no worse than the reference".

    Args:
        difference: Method minus reference.
        margin: Largest loss that does not matter, > 0, in the metric's unit.
        higher_is_better: Of the metric; else a loss is a positive difference.

    Returns:
        In [0, 1]; NaN where the difference has no standard error or degrees of freedom.

    Raises:
        BenchmarkError: If the margin is not a positive number.
    """
    if not 0 < margin < np.inf:
        raise BenchmarkError(
            "margin of an equivalence test",
            got=margin,
            expected="a positive number",
            do="Name a difference that does not matter, such as 0.01.",
        )
    if not (difference.se > 0 and difference.df > 0):
        return np.nan
    gain = difference.value if higher_is_better else -difference.value
    return float(stdtr(difference.df, -(gain + margin) / difference.se))
