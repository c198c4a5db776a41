"""The ways in which tables state uncertainty, side by side, for :mod:`benchmark.stats.simulate`.

``variance_sum`` is the headline and ``nested`` its cross-check, as the tables use them; the rest is common practice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from benchmark.api import Floats
from benchmark.stats.interval import Interval, seeds_only, variance_sum
from benchmark.stats.nested import nested

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Trial:
    """What one repetition of an experiment knows of an accuracy.

    Attributes:
        values: ``[S]`` of each seed.
        by_unit: ``[S, B]`` of each seed under bootstrap draws of units.
        by_image: ``[S, B]`` under draws of single images, as if none belonged together.
        n_units: Number of units.
        rng: For intervals that draw seeds, too.
    """

    values: Floats
    by_unit: Floats
    by_image: Floats
    n_units: int
    rng: np.random.Generator

    def of(self, seeds: int) -> Trial:
        """The same with only the first seeds."""
        return replace(self, values=self.values[:seeds], by_unit=self.by_unit[:seeds], by_image=self.by_image[:seeds])


Bounds = tuple[float, float]
Practice = Callable[[Trial], Bounds]


def _headline(trial: Trial) -> Bounds:
    return _of(variance_sum(trial.values, trial.by_unit.mean(0), trial.n_units, level=LEVEL, low=0, high=1))


def _satterthwaite(trial: Trial) -> Bounds:
    of_units = trial.by_unit.mean(0).var(ddof=1)
    of_seeds = trial.values.var(ddof=1) / len(trial.values)
    if (whole := of_units + of_seeds) == 0:
        return np.nan, np.nan
    df = whole**2 / (of_units**2 / (trial.n_units - 1) + of_seeds**2 / (len(trial.values) - 1))
    mean, half = trial.values.mean(), student.ppf((1 + LEVEL) / 2, df) * np.sqrt(whole)
    return float(max(0, mean - half)), float(min(1, mean + half))


def _nested(trial: Trial) -> Bounds:
    return _of(nested(trial.by_unit, trial.rng, values=trial.values, level=LEVEL, low=0, high=1))


def _student(trial: Trial) -> Bounds:
    return _of(seeds_only(trial.values, level=LEVEL, low=0, high=1))


def _times_se(times: float) -> Practice:
    def bounds(trial: Trial) -> Bounds:
        mean, half = trial.values.mean(), times * trial.values.std(ddof=0) / np.sqrt(len(trial.values))
        return float(mean - half), float(mean + half)

    return bounds


def _of(interval: Interval) -> Bounds:
    return interval.low, interval.high


def _percentile(draws: Floats) -> Bounds:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


PRACTICES: dict[str, tuple[float, Practice]] = {
    "variance_sum": (LEVEL, _headline),
    "satterthwaite": (LEVEL, _satterthwaite),
    "nested": (LEVEL, _nested),
    "unit_bootstrap": (LEVEL, lambda trial: _percentile(trial.by_unit.mean(0))),
    "image_bootstrap": (LEVEL, lambda trial: _percentile(trial.by_image.mean(0))),
    "t_seeds": (LEVEL, _student),
    "se_196": (LEVEL, _times_se(1.96)),
    "se": (round(float(2 * norm.cdf(1) - 1), 4), _times_se(1)),
}
"""Nominal coverage and bounds.

- ``satterthwaite``: the headline with Satterthwaite's degrees of freedom.
- ``unit_bootstrap``: percentiles of the seed mean over draws of units; the trained models stay as they are.
- ``image_bootstrap``: the same over draws of images.
- ``t_seeds``: Student's interval over the seeds' values; the test sample stays as it is.
- ``se``: mean ± SD/√S over seeds, the SD being NumPy's default (squares ÷ S, not S - 1); ``se_196``: 1.96 times that.
"""
