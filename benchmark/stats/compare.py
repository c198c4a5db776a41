"""A method against the reference: paired differences, and Holm's correction over a family of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import Interval, variance_sum


@dataclass(frozen=True)
class Difference:
    """Method minus reference.

    Attributes:
        interval: The difference of the seed means with its bounds.
        p: Two-sided p-value of "no difference"; NaN where the bounds are not defined.
    """

    interval: Interval
    p: float


def paired_difference(
    values: Floats,
    draws: Floats,
    reference_values: Floats,
    reference_draws: Floats,
    n_units: int,
    *,
    level: float = 0.95,
    span: float = np.inf,
) -> Difference:
    """Method minus reference on the same draws and seed by seed: ``p = 2 P(t_df > |difference| / se)``.

    Args:
        values: ``[S]`` the method's value for each seed.
        draws: ``[B]`` the method's seed mean under each draw.
        reference_values: ``[S]`` the reference's, for the same seeds in the same order.
        reference_draws: ``[B]`` the reference's, under the same draws.
        n_units: Number of resampled units.
        level: Nominal coverage in (0, 1).
        span: Largest possible size of the difference.

    Raises:
        BenchmarkError: If the two sides have different numbers of seeds or draws.
    """
    for name, ours, theirs in (("seeds", values, reference_values), ("draws", draws, reference_draws)):
        if np.shape(ours) != np.shape(theirs):
            raise BenchmarkError(
                f"{name} of a paired difference",
                got=f"shapes {np.shape(ours)} and {np.shape(theirs)}",
                expected=f"the same {name} on both sides",
            )
    interval = variance_sum(
        np.subtract(values, reference_values),
        np.subtract(draws, reference_draws),
        n_units,
        level=level,
        low=-span,
        high=span,
    )
    if np.isnan(interval.df):
        return Difference(interval, np.nan)
    return Difference(interval, float(2 * stdtr(interval.df, -abs(interval.value) / interval.se)))


def holm(p: Floats) -> Floats:
    """Holm's adjusted p-values of one family: ``max_{j<=i} (M - j + 1) p_(j)``, at most 1.

    Args:
        p: ``[M]`` in [0, 1]; a NaN counts as a member that is not rejected, and stays NaN: a family that is fixed in
            advance does not shrink where data happen to have no variance.

    Returns:
        ``[M]`` in [0, 1].

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p, float)
    # Four lines of our own: statsmodels' `multipletests` collects garbage in every call (70 ms).
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    factor = len(p) - np.arange(len(order))
    adjusted: Floats = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factor * p[order]))
    return adjusted
