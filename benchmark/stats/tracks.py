"""Every metric of one cell, in the order of the tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmark.api import VARIANTS, Floats
from benchmark.metrics.attribution import BACKGROUND_RELEVANCE_MASS, HEATMAP_LOSS
from benchmark.metrics.behaviour import RELATIVE_FOREGROUND_SENSITIVITY
from benchmark.metrics.generalization import BALANCED_ACCURACY, MACRO_F1, gap
from benchmark.metrics.named import metric_named, registered_metrics
from benchmark.metrics.ranking import MACRO_AUPRC, MACRO_AUROC, MACRO_AUROC_HAND_TILL, ranking_table
from benchmark.predictions import Predictions
from benchmark.stats.compare import Difference, paired_difference
from benchmark.stats.group_tracks import group_tracks
from benchmark.stats.track import Counts, Track, Weights, combined, known_track, of_images, of_logits

Key = tuple[str, str]
"""Variant and metric."""

IF_CORRECT = f"{BACKGROUND_RELEVANCE_MASS.name}_if_correct"
"""The judge's background relevance of the images whose class was found: so that a wrong answer's map does not count."""

RANKINGS = (MACRO_AUROC, MACRO_AUROC_HAND_TILL, MACRO_AUPRC)
OVER_CLASSES = (BALANCED_ACCURACY, MACRO_F1)
NOISY = ("background_noise_accuracy", "foreground_noise_accuracy")


def tracks_of(stored: Predictions, weights: Weights) -> dict[Key, Track]:
    """All tracks of one cell, in the order of the table.

    Args:
        stored: The cell's predictions, with the variant ``iid``.
        weights: Of each variant.
    """
    tracks: list[Track] = []
    iid: list[Track] = []
    for variant in (variant for variant in VARIANTS if variant in stored.logits):
        here = logit_tracks(variant, stored, weights)
        tracks += here
        if variant == "iid":
            iid = here
        else:
            tracks += [gap_of(*pair) for pair in zip(iid, here, strict=True)]
        tracks += image_tracks(variant, stored, weights)
        if variant == "iid" and stored.heatmap_loss is not None:
            none = np.zeros(len(stored.seeds), np.int64)
            tracks.append(Track(HEATMAP_LOSS, variant, stored.heatmap_loss, None, none))
    return {(track.variant, track.metric.name): track for track in [*tracks, *group_tracks(stored, weights)]}


def logit_tracks(variant: str, stored: Predictions, weights: Weights) -> list[Track]:
    """The metrics of predictions; those of rankings sort the images once for all three."""
    label, metrics = stored.tested[variant].label, registered_metrics("generalization")
    runs = stored.logits[variant]
    values, draws = ([ranking_table(logits, label, weight) for logits in runs] for weight in (None, weights[variant]))
    found = [
        known_track(metric, variant, stored, *([table[metric.name] for table in tables] for tables in (values, draws)))
        if metric in RANKINGS
        else of_logits(metric, variant, stored, weights)
        for metric in metrics
    ]
    if len(np.unique(label)) > 1:
        return found
    # Of one class alone, a mean over classes is plain recall under another name.
    return [track.without_value() if track.metric in OVER_CLASSES else track for track in found]


def image_tracks(variant: str, stored: Predictions, weights: Weights) -> list[Track]:
    """The metrics of single images, and those made of them."""
    scores = {name: images for (name, where), images in stored.image_scores.items() if where == variant}
    counts = Counts(weights[variant])
    tracks = {name: of_images(metric_named(name), variant, images, stored, counts) for name, images in scores.items()}
    if (name := BACKGROUND_RELEVANCE_MASS.name) in scores:
        rows = stored.subset[variant]
        right = stored.logits[variant][:, rows].argmax(2) == stored.tested[variant].label[rows]
        correct = np.where(right, scores[name], np.nan)
        tracks[IF_CORRECT] = of_images(metric_named(IF_CORRECT), variant, correct, stored, counts)
    if all(name in tracks for name in NOISY):
        metric = RELATIVE_FOREGROUND_SENSITIVITY
        tracks[metric.name] = combined(metric, variant, metric.function, *(tracks[name] for name in NOISY))
    return list(tracks.values())


def gap_of(iid: Track, shifted: Track) -> Track:
    """What the variant takes away."""
    metric = gap(shifted.metric)
    return combined(metric, shifted.variant, metric.function, iid, shifted)


def difference(ours: Track, theirs: Track, stored: Predictions, weights: Weights) -> Difference | None:
    """Method minus reference; ``None`` where the draws do not speak of the metric.

    Metrics of single images are compared on the images that both sides define.

    Args:
        ours: The method's track.
        theirs: The reference's, on the same images, seeds and draws.
        stored: The predictions of either (only its images matter).
        weights: The draws of each variant.
    """
    if ours.images is not None and theirs.images is not None and not same_defined(ours.images, theirs.images):
        both = np.where(np.isnan(ours.images + theirs.images), np.nan, 1)
        counts = Counts(weights[ours.variant])
        ours = of_images(ours.metric, ours.variant, ours.images * both, stored, counts)
        theirs = of_images(theirs.metric, theirs.variant, theirs.images * both, stored, counts)
    if ours.draws is None or theirs.draws is None:
        return None
    span = ours.metric.high - ours.metric.low
    return paired_difference(ours.values, ours.draws, theirs.values, theirs.draws, int(ours.n_units.min()), span=span)


def same_defined(ours: Floats, theirs: Floats) -> bool:
    """Whether both are defined for the same images."""
    return np.array_equal(np.isnan(ours), np.isnan(theirs))


def differences(
    ours: Mapping[Key, Track], theirs: Mapping[Key, Track], stored: Predictions, weights: Weights
) -> dict[Key, Difference]:
    """:func:`difference` for every variant and metric that both sides hold."""
    found = {key: difference(ours[key], theirs[key], stored, weights) for key in ours if key in theirs}
    return {key: value for key, value in found.items() if value is not None}
