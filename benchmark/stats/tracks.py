"""Every metric of one cell: its value for each seed, and what the bootstrap draws make of their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.api import VARIANTS, Floats, Ints, Metric
from benchmark.metrics.attribution import HEATMAP_LOSS
from benchmark.metrics.generalization import gap
from benchmark.metrics.named import metric_named, registered_metrics
from benchmark.predictions import Predictions
from benchmark.stats.compare import Difference, paired_difference
from benchmark.stats.interval import Interval, seeds_only, variance_sum

Key = tuple[str, str]
"""Variant and metric."""

Weights = Mapping[str, Floats]
"""Variant -> ``[B, N]`` how often each of its images counts in each draw."""


@dataclass(frozen=True, eq=False)
class Track:
    """One metric on one variant.

    Attributes:
        values: ``[S]`` of each seed.
        draws: ``[B]`` the mean over seeds under each draw; ``None`` where no test unit is involved.
        n_units: ``[S]`` test units with a defined value; of a gap between different images, of the smaller set.
        images: ``[S, M]`` what the value is the mean of, for metrics of single images.
    """

    metric: Metric
    variant: str
    values: Floats
    draws: Floats | None
    n_units: Ints
    images: Floats | None = None

    def interval(self) -> Interval:
        """Bounds over units and seeds, clipped to the metric's range."""
        low, high = self.metric.low, self.metric.high
        if self.draws is None:
            return seeds_only(self.values, low=low, high=high)
        return variance_sum(self.values, self.draws, int(self.n_units.min()), low=low, high=high)


def tracks_of(stored: Predictions, weights: Weights) -> dict[Key, Track]:
    """All tracks of one cell, in the order of the table.

    Args:
        stored: The cell's predictions, with the variant ``iid``.
        weights: Of each variant.
    """
    tracks: list[Track] = []
    iid: list[Track] = []
    for variant in (variant for variant in VARIANTS if variant in stored.logits):
        here = [_of_logits(metric, variant, stored, weights) for metric in registered_metrics("generalization")]
        tracks += here
        if variant == "iid":
            iid = here
        else:
            tracks += [_gap(*pair) for pair in zip(iid, here, strict=True)]
        for (name, where), images in stored.image_scores.items():
            if where == variant:
                tracks.append(_of_images(metric_named(name), variant, images, stored, weights))
        if variant == "iid" and stored.heatmap_loss is not None:
            none = np.zeros(len(stored.seeds), np.int64)
            tracks.append(Track(HEATMAP_LOSS, variant, stored.heatmap_loss, None, none))
    return {(track.variant, track.metric.name): track for track in tracks}


def difference(ours: Track, theirs: Track, stored: Predictions, weights: Weights) -> Difference | None:
    """Method minus reference; ``None`` where the draws do not speak of the metric.

    Metrics of single images are compared on the images that both sides define.

    Args:
        ours: The method's track.
        theirs: The reference's, on the same images, seeds and draws.
        stored: The predictions of either (only its images matter).
        weights: The draws of each variant.
    """
    if ours.images is not None and theirs.images is not None:
        both = np.where(np.isnan(ours.images + theirs.images), np.nan, 1)
        ours = _of_images(ours.metric, ours.variant, ours.images * both, stored, weights)
        theirs = _of_images(theirs.metric, theirs.variant, theirs.images * both, stored, weights)
    if ours.draws is None or theirs.draws is None:
        return None
    span = ours.metric.high - ours.metric.low
    return paired_difference(ours.values, ours.draws, theirs.values, theirs.draws, int(ours.n_units.min()), span=span)


def differences(
    ours: Mapping[Key, Track], theirs: Mapping[Key, Track], stored: Predictions, weights: Weights
) -> dict[Key, Difference]:
    """:func:`difference` for every variant and metric that both sides hold."""
    found = {key: difference(ours[key], theirs[key], stored, weights) for key in ours if key in theirs}
    return {key: value for key, value in found.items() if value is not None}


def _of_logits(metric: Metric, variant: str, stored: Predictions, weights: Weights) -> Track:
    runs, tested = stored.logits[variant], stored.tested[variant]
    values = np.array([metric.function(logits, tested.label, None) for logits in runs])
    draws = np.mean([metric.function(logits, tested.label, weights[variant]) for logits in runs], axis=0)
    n_units = np.full(len(runs), len(np.unique(tested.unit)))
    return Track(metric, variant, values, draws, n_units)


def _gap(iid: Track, shifted: Track) -> Track:
    """What the variant takes away, draw by draw.

    On the same images the draws are paired. On others they are independent, so that their difference has the sum of
    both variances, and the smaller sample sets the degrees of freedom.
    """
    metric = gap(shifted.metric)
    return replace(
        shifted,
        metric=metric,
        values=metric.function(iid.values, shifted.values),
        draws=metric.function(iid.draws, shifted.draws),
        n_units=np.minimum(iid.n_units, shifted.n_units),
    )


def _of_images(metric: Metric, variant: str, images: Floats, stored: Predictions, weights: Weights) -> Track:
    defined = ~np.isnan(images)
    filled = np.where(defined, images, 0).astype(float)
    rows = stored.subset[variant]
    count, unit = weights[variant][:, rows], stored.tested[variant].unit[rows]
    with np.errstate(invalid="ignore"):
        values = filled.sum(1) / defined.sum(1)
        draws = ((count @ filled.T) / (count @ defined.T.astype(float))).mean(1)
    n_units = np.array([len(np.unique(unit[row])) for row in defined])
    return Track(metric, variant, values, draws, n_units, images)
