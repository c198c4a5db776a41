"""What is known of a value or a difference, and the one-sided p-values that follow.

A value with bounds by Student's t:  ``p(true <= b) = P(T_df >= (value - b) / se)``.

All of n units right in all seeds (no variance, Wilson's bounds): were the share ``b`` or less, all would be right with
probability ``b^n`` at most, so ``p(true <= b) = b^n``, exactly; none right: ``p(true >= b) = (1 - b)^n``. So of any
mean over units in [0, 1] that is 1 or 0; between them, without variance, the score test that Wilson's interval inverts.

A difference of accuracies in which no unit differs: were it ``-m`` or less, a unit would differ with probability ``m``
or more, so ``p(true <= -m) = (1 - m)^n``, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, stdtr

from benchmark.stats.compare import paired_difference
from benchmark.stats.interval import Interval
from benchmark.stats.track import Track
from benchmark.stats.tracks import same_defined

ACCURACIES = ("accuracy", "accuracy_gap")
"""Metrics whose difference is a mean over units of -1, 0 and 1."""

ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A value or a difference with its bounds.

    Attributes:
        interval: 95 %, over units and seeds; of a difference in which no unit differs, exact and over units alone.
        n_units: The smaller number of test units.
        n_seeds: Of trainings.
        alike: Whether no unit differs in any seed.
    """

    interval: Interval
    n_units: int
    n_seeds: int
    alike: bool = False

    @property
    def reason(self) -> str:
        """Why no test is made; empty where one is."""
        if self.n_seeds < 2:
            return "one seed: what another training would give cannot be told"
        return "" if self.p(0.0, 1) >= 0 else self.interval.reason or "no standard error"

    def p(self, bound: float, sign: int) -> float:
        """P-value of "the true value is ``bound`` or beyond it the other way"; small speaks for the claim.

        Args:
            bound: In the metric's unit.
            sign: 1 where the claim is "above", -1 for "below".

        Returns:
            In [0, 1]; NaN where there is no standard error or one seed.
        """
        found, gain = self.interval, sign * (self.interval.value - bound)
        if self.n_seeds < 2:
            return np.nan
        if self.alike:
            return self._exact_p(gain)
        if found.se > 0 and found.df > 0:
            return float(stdtr(found.df, -gain / found.se))
        if not (found.se == 0 and np.isfinite(found.low) and np.isnan(found.df)):
            return np.nan
        if not 0 < bound < 1:  # no share lies there, or none beyond
            return float(gain <= 0)
        if min(found.value, 1 - found.value) < ROUNDING:
            return self._exact_p(gain)
        return float(ndtr(-gain / np.sqrt(bound * (1 - bound) / self.n_units)))

    def _exact_p(self, gain: float) -> float:
        """All units say the same, and would do so with probability ``1 - gain`` each if the truth lay at the bound."""
        return float(max(0.0, 1 - gain) ** self.n_units) if gain > 0 else 1.0


def of_value(track: Track) -> Estimate:
    """The mean over seeds; of a gap of accuracy in which no unit differs, with exact bounds."""
    found = Estimate(track.interval(), int(track.n_units.min()), len(track.values))
    gap = track.metric.name in ACCURACIES[1:]
    return _exact(found) if gap and _none(track.values, track.seed_draws) else found


def of_difference(ours: Track, theirs: Track) -> Estimate | str:
    """Ours minus theirs, paired by seeds and draws; or why there is none."""
    if ours.seed_draws is None or theirs.seed_draws is None or ours.draws is None or theirs.draws is None:
        return "no test unit is behind it, so there is nothing to pair"
    if ours.values.shape != theirs.values.shape:
        return f"{len(ours.values)} and {len(theirs.values)} seeds cannot be paired"
    if ours.images is not None and theirs.images is not None and not same_defined(ours.images, theirs.images):
        return "not defined on the same images"
    units = int(min(ours.n_units.min(), theirs.n_units.min()))
    span = ours.metric.high - ours.metric.low
    found = paired_difference(ours.values, ours.draws, theirs.values, theirs.draws, units, span=span)
    estimate = Estimate(found.interval, units, len(ours.values))
    same = _none(ours.values - theirs.values, ours.seed_draws - theirs.seed_draws)
    return _exact(estimate) if same and ours.metric.name in ACCURACIES[:1] else estimate


def _none(values: np.ndarray, draws: np.ndarray | None) -> bool:
    """Whether all values are 0 in every seed and draw."""
    return draws is not None and bool(max(np.abs(values).max(), np.abs(draws).max()) < ROUNDING)


def _exact(found: Estimate) -> Estimate:
    """Bounds of a share that no unit of ``n`` speaks for, ``1 - 0.05^(1/n)``, both ways."""
    half = 1 - 0.05 ** (1 / found.n_units)
    reason = "no unit differs: exact bounds"
    interval = Interval(0.0, -half, half, 0.0, np.nan, reason)
    return replace(found, interval=interval, alike=True)
