"""Accuracy in groups: of every class, with the mark of its own and with another's.

The test images with both marks (``iid`` and ``deceiving``) make the groups. The worst of them is chosen on validation
images, seed by seed, and scored here: the smallest of many noisy accuracies would be too low.
"""

from __future__ import annotations

import json

import numpy as np

from benchmark.metrics.groups import (
    ADJUSTED_AVERAGE,
    PLAIN_AVERAGE,
    WORST_GROUP_ACCURACY,
    WORST_GROUP_PLUG_IN,
    adjusted_average,
    group_accuracy,
    group_images,
    group_of,
    plain_average,
    worst_group_plug_in,
)
from benchmark.predictions import Predictions
from benchmark.stats.track import Track, Weights

BOTH = ("iid", "deceiving")
VARIANT = "iid+deceiving"
"""What stands in the column ``variant`` of these metrics."""


def group_tracks(stored: Predictions, weights: Weights) -> list[Track]:
    """The four metrics of groups; none where no worst group was chosen, or the two variants show different images."""
    if "groups" not in stored.attributes or not all(variant in stored.logits for variant in BOTH):
        return []
    iid, deceiving = (stored.tested[variant] for variant in BOTH)
    if not iid.same_as(deceiving):
        return []
    facts, groups = json.loads(stored.attributes["groups"]), 2 * stored.logits["iid"].shape[-1]
    share, chosen = np.array(facts["share"]), np.array(facts["chosen"])
    other = np.zeros(len(iid), bool)
    other[facts["conflicting"]] = True
    label, unit = np.tile(iid.label, 2), np.tile(iid.unit, 2)
    group = np.concatenate([group_of(iid.label, other), group_of(iid.label, np.ones(len(iid), bool))])
    count = np.concatenate([weights[variant] for variant in BOTH], axis=-1)  # a unit comes and goes with both marks
    runs = np.concatenate([stored.logits[variant] for variant in BOTH], axis=1)  # [S, 2 N, K]
    whole = np.stack([group_accuracy(run, label, group, groups) for run in runs])  # [S, 2 K]
    drawn = np.stack([group_accuracy(run, label, group, groups, count) for run in runs])  # [S, B, 2 K]
    images, counted = group_images(group, groups), group_images(group, groups, count)
    units = np.full(len(runs), len(np.unique(unit)))
    sizes = np.array([len(np.unique(unit[group == each])) for each in range(groups)])
    of_chosen, fewest = sizes[chosen], np.full(len(runs), sizes[sizes > 0].min())
    seeds = np.arange(len(runs))
    return [
        Track(WORST_GROUP_ACCURACY, VARIANT, whole[seeds, chosen], drawn[seeds, :, chosen], of_chosen),
        Track(WORST_GROUP_PLUG_IN, VARIANT, worst_group_plug_in(whole), worst_group_plug_in(drawn), fewest),
        Track(PLAIN_AVERAGE, VARIANT, plain_average(whole, images), plain_average(drawn, counted), units),
        Track(ADJUSTED_AVERAGE, VARIANT, adjusted_average(whole, share), adjusted_average(drawn, share), units),
    ]
