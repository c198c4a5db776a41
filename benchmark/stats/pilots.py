"""The pilot of a power calculation: the paired difference of two methods, from their stored predictions."""

from __future__ import annotations

import numpy as np

from benchmark.api import Metric
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.metrics.named import registered_metrics
from benchmark.predictions import Predictions
from benchmark.stats.power import Pilot, pilot_of
from benchmark.stats.track import Counts, Track, Weights, of_images, of_logits
from benchmark.stats.tracks import gap_of, image_tracks
from benchmark.stats.weights import draw_weights


def pilot_between(
    ours: Predictions, theirs: Predictions, variant: str, metric: str, *, task: str, draws: int = 2000
) -> tuple[Pilot, Metric]:
    """The variances of ours minus theirs, on the draws of the suite's tables.

    Args:
        ours: The method's predictions.
        theirs: The reference's, of the same images and seeds.
        variant: One that both hold.
        metric: Of predictions, its gap, or of single images; a metric of groups has no variant of its own.
        task: Names the stream of the draws.
        draws: Bootstrap draws, at least 2.

    Raises:
        BenchmarkError: If a name is unknown, seeds or images differ, or a variance is not known.
    """
    if not np.array_equal(ours.seeds, theirs.seeds):
        raise BenchmarkError(
            "seeds of the two methods",
            got=f"{ours.seeds.tolist()} and {theirs.seeds.tolist()}",
            expected="the same in the same order: the difference is paired",
        )
    for stored in (ours, theirs):
        if variant not in stored.tested:
            raise_unknown("variant", variant, stored.tested)
    if differing := [v for v in ours.tested if v in theirs.tested and not ours.tested[v].same_as(theirs.tested[v])]:
        raise BenchmarkError(
            f"test images of the two methods differ on {differing[0]}", do="Test both on the same pack."
        )
    weights = draw_weights(ours, task, draws, 0)
    first, second = _pair(ours, theirs, variant, metric, weights)
    if first.seed_draws is None or second.seed_draws is None:
        raise BenchmarkError(f"metric {metric!r} does not rest on test units", do="Take one that does.")
    n_units = int(min(first.n_units.min(), second.n_units.min()))
    pilot = pilot_of(first.values - second.values, first.seed_draws - second.seed_draws, n_units)
    return pilot, first.metric


def _pair(ours: Predictions, theirs: Predictions, variant: str, name: str, weights: Weights) -> tuple[Track, Track]:
    """The metric of both methods; one of single images on the images where both define it."""
    metrics = {metric.name: metric for metric in registered_metrics("generalization")}
    gaps = {f"{base}_gap": metric for base, metric in metrics.items() if variant != "iid" and "iid" in ours.tested}
    if metric := metrics.get(name):
        return of_logits(metric, variant, ours, weights), of_logits(metric, variant, theirs, weights)
    if metric := gaps.get(name):
        first, second = ([of_logits(metric, v, p, weights) for v in ("iid", variant)] for p in (ours, theirs))
        return gap_of(*first), gap_of(*second)
    of_image = [{track.metric.name: track for track in image_tracks(variant, p, weights)} for p in (ours, theirs)]
    if not all(name in found for found in of_image):
        raise_unknown(f"metric on {variant}", name, {*metrics, *gaps, *(of_image[0].keys() & of_image[1].keys())})
    a, b = (found[name] for found in of_image)
    if a.images is None or b.images is None:
        return a, b
    both = np.where(np.isnan(a.images + b.images), np.nan, 1)
    if np.isnan(both).all(1).any():
        raise BenchmarkError(f"{name} on {variant} is defined for no image of both methods", do="Take another metric.")
    counts = Counts(weights[variant])
    return (
        of_images(a.metric, variant, a.images * both, ours, counts),
        of_images(b.metric, variant, b.images * both, theirs, counts),
    )
