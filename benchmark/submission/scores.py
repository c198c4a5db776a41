"""The scores of a record: those of the suite's tables, by the same code and the same draws."""

from __future__ import annotations

from typing import get_args

import numpy as np

from benchmark.metrics.named import metric_named
from benchmark.predictions import Predictions
from benchmark.stats.track import Track, Weights, of_logits
from benchmark.stats.tracks import OVER_CLASSES, Key
from benchmark.stats.weights import draw_weights
from benchmark.submission.protocol import DRAWS
from benchmark.submission.record import Claimable, Claimed
from benchmark.submission.stored import StoredTask

CLAIMABLE: tuple[str, ...] = get_args(Claimable)


def shared_draws(stored: StoredTask, draws: int = DRAWS) -> Weights:
    """How often each image counts in each draw of the suite's tables."""
    return draw_weights(stored.base, stored.task, draws, 0)


def scored(predictions: Predictions, weights: Weights) -> dict[Key, Track]:
    """Every claimable metric on every variant, and none that a plug-in brings: all who verify get the same."""
    tracks = {}
    for variant, tested in predictions.tested.items():
        single = len(np.unique(tested.label)) < 2
        for metric in map(metric_named, CLAIMABLE):
            track = of_logits(metric, variant, predictions, weights)
            # Of one class alone, a mean over classes is plain recall under another name.
            tracks[variant, metric.name] = track.without_value() if single and metric in OVER_CLASSES else track
    return tracks


def claims_of(tracks: dict[Key, Track]) -> list[Claimed]:
    """The scores as a record claims them; a metric that is not defined for every seed is left out."""
    found = []
    for (variant, metric), track in tracks.items():
        own = track.interval()
        if not np.isfinite(track.values).all():
            continue
        low, high = (None if np.isnan(bound) else bound for bound in (own.low, own.high))
        values = {"per_seed": track.values.tolist(), "value": own.value, "low": low, "high": high}
        found.append(Claimed.model_validate({"variant": variant, "metric": metric, **values}))
    return found
