"""One metric of one cell and variant: its value for each seed, and what the bootstrap draws make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmark.api import Floats, Ints, Metric
from benchmark.metrics.named import metric_named
from benchmark.predictions import Predictions
from benchmark.stats.interval import Interval, seeds_only, variance_sum

Weights = Mapping[str, Floats]
"""Variant -> ``[B, N]`` how often each of its images counts in each draw."""


@dataclass(frozen=True, eq=False)
class Track:
    """One metric on one variant.

    Attributes:
        values: ``[S]`` of each seed.
        seed_draws: ``[S, B]`` the same under each draw; ``None`` where no test unit is involved.
        n_units: ``[S]`` test units with a defined value; of a gap between different images, of the smaller set.
        images: ``[S, M]`` what the value is the mean of, for metrics of single images.
    """

    metric: Metric
    variant: str
    values: Floats
    seed_draws: Floats | None
    n_units: Ints
    images: Floats | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the metric by its name, since the function of a gap is none that pickle finds."""
        return self.__dict__ | {"metric": self.metric.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"metric": metric_named(state["metric"])})

    @property
    def draws(self) -> Floats | None:
        """``[B]`` the mean over seeds under each draw."""
        return None if self.seed_draws is None else self.seed_draws.mean(0)

    def without_value(self) -> Track:
        """The same metric, not defined."""
        draws = None if self.seed_draws is None else np.full_like(self.seed_draws, np.nan)
        return replace(self, values=np.full_like(self.values, np.nan), seed_draws=draws)

    def interval(self) -> Interval:
        """Bounds over units and seeds, clipped to the metric's range."""
        low, high = self.metric.low, self.metric.high
        draws = self.draws
        if draws is None:
            return seeds_only(self.values, low=low, high=high)
        return variance_sum(self.values, draws, int(self.n_units.min()), low=low, high=high)


def of_logits(metric: Metric, variant: str, stored: Predictions, weights: Weights) -> Track:
    """A metric of predictions."""
    runs, label = stored.logits[variant], stored.tested[variant].label
    values = [metric.function(logits, label, None) for logits in runs]
    return known_track(metric, variant, stored, values, [metric.function(one, label, weights[variant]) for one in runs])


def known_track(
    metric: Metric, variant: str, stored: Predictions, values: Sequence[Floats], draws: Sequence[Floats]
) -> Track:
    """A metric of predictions from what each seed has without and with weights, ``[]`` and ``[B]``."""
    units = len(np.unique(stored.tested[variant].unit))
    return Track(metric, variant, np.array(values, float), np.array(draws, float), np.full(len(values), units))


@dataclass(frozen=True, eq=False)
class Counts:
    """How often images of one variant count in each draw, gathered once for all metrics of the same images."""

    weight: Floats
    known: dict[bytes, Floats] = field(default_factory=dict)

    def of(self, rows: Ints) -> Floats:
        """``[len(rows), B]``."""
        key = rows.tobytes()
        if key not in self.known:
            self.known[key] = np.ascontiguousarray(self.weight[:, rows].T, float)
        return self.known[key]


def of_images(metric: Metric, variant: str, images: Floats, stored: Predictions, counts: Counts) -> Track:
    """The mean of one number an image, ``[S, M]``, over the images where it is defined."""
    defined = ~np.isnan(images)
    some = np.flatnonzero(defined.any(0))
    rows = stored.subset[variant][some]
    filled, there = np.where(defined, images, 0)[:, some].astype(float), defined[:, some].astype(float)
    count, unit = counts.of(rows), stored.tested[variant].unit[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = filled.sum(1) / there.sum(1)
        draws = (filled @ count) / (there @ count)
    n_units = np.array([len(np.unique(unit[row > 0])) for row in there])
    return Track(metric, variant, values, draws, n_units, images)


def combined(metric: Metric, variant: str, function: Callable[..., Floats], *tracks: Track) -> Track:
    """A function of several metrics, seed by seed and draw by draw: of the same images the draws are paired.

    On different images they are independent, so that a difference has the sum of both variances; the smallest sample
    sets the degrees of freedom.
    """
    values = function(*(track.values for track in tracks))
    draws = function(*(track.seed_draws for track in tracks))
    return Track(metric, variant, values, draws, np.minimum.reduce([track.n_units for track in tracks]))
