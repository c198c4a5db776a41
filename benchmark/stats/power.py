"""How many seeds and units separate two methods by δ, from the variances of a pilot.

The paired difference of a pilot with ``n0`` units and ``S0`` seeds has the bootstrap variance ``Vu`` of its seed mean
and the variance ``s²`` from seed to seed. The test of :mod:`benchmark.stats.compare` on ``n`` units and ``S`` seeds
then expects

    V(n, S) = Vu n0 / n + s² / S

and takes t with the headline's degrees of freedom: ``power = P(|T'| > t)``, T' noncentral t at ``δ / sqrt(V)``.

One thing more: a part of ``Vu`` is how each training by itself answers each image, ``I`` for one seed and n0 units.
More seeds average it out as well as more units, and the test counts it twice, in ``Vu`` and in ``s²``, which makes it
careful. With ``U = Vu - I / S0`` and ``W = s² - I``:

    what the test expects   V(n, S) = (U + I / S) n0 / n + (W + I n0 / n) / S
    what is true            D(n, S) = (U + I / S) n0 / n + W / S

and ``power = P(|T'| > t sqrt(V / D))``, T' noncentral t at ``δ / sqrt(D)``. ``V`` is ``Vu + s² / S0`` at the pilot, and
the formula above where ``I = 0``.

Source:
    Power of a t test: Johnson and Welch, Biometrika 31, 1940.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, nct
from scipy.stats import t as student

from benchmark.api import Floats, Ints
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import DEFINED_DRAWS, degrees_of_freedom

MANY = 1000
"""Times the pilot's units: what takes more is told to be out of reach."""

FEWEST = 30
"""Units: with fewer, the difference of a metric is too far from normal for any of this."""


@dataclass(frozen=True)
class Pilot:
    """The variances of a paired difference, as measured.

    Attributes:
        difference: Of the seed means; it does not enter the power.
        of_units: ``Vu``, bootstrap variance of the seed mean of the difference.
        of_seeds: ``s²``, variance of the difference from seed to seed.
        n_units: ``n0``, at least 2.
        n_seeds: ``S0``, at least 2: one seed cannot tell ``s²``.
        of_both: ``I``, in [0, min(S0 Vu, s²)].

    Raises:
        BenchmarkError: If a number is out of its range, or there is no variance at all.
    """

    difference: float
    of_units: float
    of_seeds: float
    n_units: int
    n_seeds: int
    of_both: float = 0.0

    def __post_init__(self) -> None:
        if self.n_seeds < 2:
            raise BenchmarkError(
                "seed variance of a pilot with one seed is not known",
                got=self.n_seeds,
                expected="at least 2 seeds",
                do="Train both methods with more seeds: without it no number of units can be told.",
            )
        if self.n_units < 2:
            raise BenchmarkError("units of a pilot", got=self.n_units, expected="at least 2")
        parts = (self.of_units, self.of_seeds, self.of_both)
        most = min(self.n_seeds * self.of_units, self.of_seeds)
        if not np.isfinite((*parts, self.difference)).all() or min(parts) < 0 or self.of_both > most:
            expected = "finite, >= 0, and the part of both no more than S0 Vu and s²"
            raise BenchmarkError("variances of a pilot", got=parts, expected=expected)
        if self.of_units + self.of_seeds / self.n_seeds <= 1e-24:  # rounding
            raise BenchmarkError(
                "the difference of a pilot has no variance",
                got=self.difference,
                expected="units or seeds that differ",
                do="The methods answer alike, or the metric cannot vary here: take another variant or another metric.",
            )

    def seed_bounds(self, level: float = 0.95) -> tuple[float, float]:
        """What ``s²`` may truly be, by chi-square with S0 - 1 degrees of freedom: wide for a few seeds."""
        df = self.n_seeds - 1
        tails = chi2.ppf([(1 + level) / 2, (1 - level) / 2], df)
        return float(self.of_seeds * df / tails[0]), float(self.of_seeds * df / tails[1])


def pilot_of(values: Floats, seed_draws: Floats, n_units: int) -> Pilot:
    """The pilot of a paired difference.

    ``I`` is what averaging over seeds takes from the bootstrap variance:
    ``(mean_s Var(draws of seed s) - Vu) S0 / (S0 - 1)``, cut to its range.

    Args:
        values: ``[S]`` method minus reference, seed by seed.
        seed_draws: ``[S, B]`` the same under each bootstrap draw, which all seeds share.
        n_units: Resampled units.

    Raises:
        BenchmarkError: If shapes disagree, a number is not finite, there is one seed only, or no variance.
    """
    values, seed_draws = np.asarray(values, float), np.asarray(seed_draws, float)
    if values.ndim != 1 or seed_draws.ndim != 2 or len(seed_draws) != len(values) or seed_draws.shape[1] < 2:
        got = f"shapes {values.shape} and {seed_draws.shape}"
        raise BenchmarkError("values and draws of a pilot", got=got, expected="[S] and [S, B] with B >= 2")
    defined = np.isfinite(seed_draws).all(axis=0)
    if not np.isfinite(values).all() or defined.mean() < DEFINED_DRAWS:
        raise BenchmarkError(
            "difference of a pilot is not defined for every seed and nearly every draw",
            got=f"values {values.tolist()}, {defined.sum()} of {seed_draws.shape[1]} draws",
            do="Take a metric that is defined on every draw, such as accuracy.",
        )
    seeds, seed_draws = len(values), seed_draws[:, defined]
    if seeds < 2:
        return Pilot(float(values.mean()), 0.0, 0.0, n_units, seeds)  # told there
    of_units, of_seeds = float(seed_draws.mean(0).var(ddof=1)), float(values.var(ddof=1))
    both = float(seed_draws.var(axis=1, ddof=1).mean() - of_units) * seeds / (seeds - 1)
    both = min(max(both, 0.0), seeds * of_units, of_seeds)
    return Pilot(float(values.mean()), of_units, of_seeds, n_units, seeds, both)


def power(pilot: Pilot, delta: float, units: Ints | int, seeds: Ints | int, *, alpha: float = 0.05) -> Floats:
    """Chance that the two-sided test finds a true difference of ``delta``.

    Args:
        pilot: The measured variances.
        delta: True difference; its sign does not matter. At 0 it is the rate of false alarms.
        units: Of the design, at least 2 each; broadcasts with ``seeds``.
        seeds: Of the design, at least 2 each.
        alpha: Level of the test in (0, 1); for one of M comparisons try ``alpha / M``.

    Returns:
        In [0, 1], in the common shape of units and seeds.

    Raises:
        BenchmarkError: If a number is out of its range.
    """
    units, seeds = np.asarray(units, float), np.asarray(seeds, float)
    if not np.isfinite(delta) or not 0 < alpha < 1 or not (units >= 2).all() or not (seeds >= 2).all():
        raise BenchmarkError(
            "design of a power",
            got=f"delta {delta}, alpha {alpha}, from {units.min():g} units and {seeds.min():g} seeds",
            expected="a finite delta, alpha between 0 and 1, at least 2 units and 2 seeds",
        )
    ratio = pilot.n_units / units
    of_units = (pilot.of_units - pilot.of_both / pilot.n_seeds + pilot.of_both / seeds) * ratio
    own = (pilot.of_seeds - pilot.of_both) / seeds
    true = of_units + own
    of_seeds = own + pilot.of_both * ratio / seeds
    expected = of_units + of_seeds
    df = degrees_of_freedom(of_units, units, of_seeds, seeds)
    bar = student.isf(alpha / 2, df) * np.sqrt(expected / true)
    shift = abs(delta) / np.sqrt(true)
    # scipy's noncentral t gives NaN for lower tails that hold nothing.
    found: Floats = np.clip(nct.sf(bar, df, shift) + np.nan_to_num(nct.cdf(-bar, df, shift)), 0, 1)
    return found


def smallest_difference(pilot: Pilot, units: int, seeds: int, *, target: float = 0.8, alpha: float = 0.05) -> float:
    """The true difference that a design finds with probability ``target``.

    Args:
        pilot: The measured variances.
        units: Of the design, at least 2.
        seeds: Of the design, at least 2.
        target: Power in (alpha, 1).
        alpha: Level of the test.

    Raises:
        BenchmarkError: If a number is out of its range.
    """
    _check_target(target, alpha)
    low, high = 0.0, float(np.sqrt(pilot.of_units + pilot.of_seeds))
    while power(pilot, high, units, seeds, alpha=alpha) < target:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power(pilot, middle, units, seeds, alpha=alpha) < target else (low, middle)
    return high


def fewest_units(
    pilot: Pilot, delta: float, seeds: Sequence[int], *, target: float = 0.8, alpha: float = 0.05
) -> list[int | None]:
    """For each number of seeds the fewest units that reach the power; ``None`` where no number of units does.

    More units do not always help: where seeds then make up the variance, only ``S - 1`` degrees of freedom are
    left. Hence a search over a grid first, from ``FEWEST`` up to ``MANY`` times the pilot's units.

    Args:
        pilot: The measured variances.
        delta: True difference.
        seeds: At least 2 each.
        target: Power in (alpha, 1).
        alpha: Level of the test.

    Raises:
        BenchmarkError: If a number is out of its range.
    """
    _check_target(target, alpha)
    grid = np.unique(np.geomspace(FEWEST, max(FEWEST, MANY * pilot.n_units), 400).round().astype(np.int64))
    found: list[int | None] = []
    for count in seeds:
        reached = np.flatnonzero(power(pilot, delta, grid, count, alpha=alpha) >= target)
        if not len(reached):
            found.append(None)
            continue
        high = int(grid[reached[0]])
        low = int(grid[reached[0] - 1]) if reached[0] else high - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if power(pilot, delta, middle, count, alpha=alpha) < target else (low, middle)
        found.append(high)
    return found


def _check_target(target: float, alpha: float) -> None:
    if not 0 < alpha < target < 1:
        raise BenchmarkError("power to reach", got=target, expected=f"a number between alpha = {alpha:g} and 1")
