"""Accuracy by group: of the worst one, and averages over all.

A group is a class with its own mark (aligned, as in ``iid``) or with another's (conflicting, as in ``deceiving``):
``group = 2 · class + conflicting``. The group that is worst *on the test* is found by looking for bad luck: the minimum
``E min_g a_g <= min_g E a_g`` lies below every group's expected accuracy, the more so the smaller the groups. So the
worst group is chosen on validation images and its accuracy taken on the test; the minimum is shown beside it only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints, Metric
from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import checked, checked_weight, one_hot, ratio, weighted_sums

FEWEST = 10
"""Images below which a group is reported as small: one image more or less moves it by over 10 points."""


def group_of(label: Ints, conflicting: NDArray[np.bool_]) -> Ints:
    """``[N]`` group of each image: ``2 · class + conflicting``."""
    groups: Ints = 2 * np.asarray(label, np.int64) + np.asarray(conflicting, bool)
    return groups


def group_accuracy(score: Floats, label: Ints, group: Ints, groups: int, weight: Floats | None = None) -> Floats:
    """Share of each group's images whose highest score is their class.

    Args:
        score: ``[N, K]`` class probabilities or logits; of equal scores the first wins.
        label: ``[N]`` class indices.
        group: ``[N]`` group indices.
        groups: Their number ``G``.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[..., G]`` in [0, 1]; NaN of a group without images under the weights.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, an index is out of range or a weight is negative.
    """
    score, label, weight = checked(score, label, weight)
    member = one_hot(_checked_group(group, groups, len(label)), groups)
    hit = (score.argmax(1) == label)[:, None]
    hits, images = np.split(weighted_sums(weight, np.hstack([member * hit, member])), 2, axis=-1)
    return ratio(hits, images)


def group_images(group: Ints, groups: int, weight: Floats | None = None) -> Floats:
    """How many images each group has, ``[..., G]``, counted by ``weight [..., N]``.

    Raises:
        BenchmarkError: If a group is out of range or a weight is negative.
    """
    weight = checked_weight(weight, len(group))
    return weighted_sums(weight, one_hot(_checked_group(group, groups, len(group)), groups))


def small_groups(group: Ints, groups: int, fewest: int = FEWEST) -> list[int]:
    """The groups with fewer than ``fewest`` images, the empty ones too: to be named beside the numbers."""
    return np.flatnonzero(group_images(group, groups) < fewest).tolist()


def chosen_group(correct: NDArray[Any], group: Ints, groups: int) -> int:
    """The group of lowest accuracy, of equals the smallest index; a group without images is never chosen.

    Args:
        correct: ``[N]`` of validation images: whether each is hit, or the share of the seeds that hit it.
        group: ``[N]`` group indices.
        groups: Their number ``G``.

    Raises:
        BenchmarkError: If there are no images, shapes disagree, or values are out of range.
    """
    correct = np.asarray(correct, float)
    if correct.ndim != 1 or not len(correct) or not ((correct >= 0) & (correct <= 1)).all():
        raise BenchmarkError(
            "hits on validation images", got=f"shape {correct.shape}", expected="[N] in [0, 1] with N >= 1"
        )
    member = one_hot(_checked_group(group, groups, len(correct)), groups)
    images: Floats = member.sum(0, dtype=float)
    hits: Floats = correct @ member
    return int(np.nanargmin(ratio(hits, images)))


def worst_group_accuracy(accuracies: Floats, chosen: int) -> Floats:
    """``[..., G] -> [...]`` on the test: of the group that :func:`chosen_group` found on validation.

    Raises:
        BenchmarkError: If there is no such group.
    """
    accuracies = _checked_accuracies(accuracies)
    if not 0 <= chosen < accuracies.shape[-1]:
        raise BenchmarkError("chosen group", got=chosen, expected=f"an index below {accuracies.shape[-1]}")
    value: Floats = accuracies[..., chosen]
    return value


def worst_group_plug_in(accuracies: Floats) -> Floats:
    """``[..., G] -> [...]``: the lowest accuracy on the test itself, **biased downwards** (see the module).

    Groups without images are left out; NaN where none has any.
    """
    accuracies = _checked_accuracies(accuracies)
    lowest = np.where(np.isnan(accuracies), np.inf, accuracies).min(-1)
    return np.where(np.isinf(lowest), np.nan, lowest)


def plain_average(accuracies: Floats, images: Floats) -> Floats:
    """``Σ_g n_g a_g / Σ_g n_g``: every test image counts once. It moves with the make-up of the test.

    Args:
        accuracies: ``[..., G]``.
        images: ``[..., G]`` how many test images each group has (:func:`group_images`).

    Returns:
        ``[...]``; NaN where there are no images.
    """
    return _average(accuracies, images, "images of the groups")


def adjusted_average(accuracies: Floats, share: Floats) -> Floats:
    """``Σ_g s_g a_g / Σ_g s_g`` with the groups' shares of the *training* images.

    What the test would show, were it made up like the training; where training is biased, it says little of the bias.

    Args:
        accuracies: ``[..., G]``.
        share: ``[G]`` shares or counts of training images.

    Returns:
        ``[...]``; NaN where a group that training has is missing in the test: its part is not known.

    Source:
        Sagawa et al., Distributionally Robust Neural Networks for Group Shifts, arXiv 1911.08731.
    """
    return _average(accuracies, share, "training shares of the groups")


def _average(accuracies: Floats, share: Floats, what: str) -> Floats:
    accuracies, share = _checked_accuracies(accuracies), np.asarray(share, float)
    fits = share.ndim and share.shape[-1] == accuracies.shape[-1]
    if not fits or not ((share >= 0) & np.isfinite(share)).all():
        raise BenchmarkError(
            what, got=f"shape {share.shape}", expected=f"[..., {accuracies.shape[-1]}], all >= 0 and finite"
        )
    return ratio(np.where(share > 0, share * accuracies, 0).sum(-1), share.sum(-1))


def _checked_accuracies(accuracies: Floats) -> Floats:
    accuracies = np.asarray(accuracies, float)
    if (
        accuracies.ndim == 0
        or not accuracies.shape[-1]
        or not ((accuracies >= 0) & (accuracies <= 1) | np.isnan(accuracies)).all()
    ):
        raise BenchmarkError(
            "accuracies of groups", got=f"shape {accuracies.shape}", expected="[..., G] in [0, 1] or NaN, G >= 1"
        )
    return accuracies


def _checked_group(group: Ints, groups: int, images: int) -> Ints:
    group = np.asarray(group)
    if group.shape != (images,) or group.dtype.kind not in "iu" or group.min() < 0 or group.max() >= groups:
        raise BenchmarkError(
            "groups of images",
            got=f"{group.dtype} of shape {group.shape}",
            expected=f"[{images}] indices from 0 to {groups - 1}",
        )
    return group


WORST_GROUP_ACCURACY = Metric(
    "worst_group_accuracy",
    "generalization",
    worst_group_accuracy,
    True,
    0.0,
    1.0,
    "1/K",
    "of the group that is worst on validation: Sagawa et al., arXiv 1911.08731",
)
WORST_GROUP_PLUG_IN = Metric(
    "worst_group_plug_in",
    "generalization",
    worst_group_plug_in,
    True,
    0.0,
    1.0,
    "below 1/K: it looks for the unluckiest group",
    "lowest group accuracy on the test itself, biased downwards",
)
PLAIN_AVERAGE = Metric(
    "plain_average",
    "generalization",
    plain_average,
    True,
    0.0,
    1.0,
    "1/K for K equal classes",
    "accuracy over the test images of all groups",
)
ADJUSTED_AVERAGE = Metric(
    "adjusted_average",
    "generalization",
    adjusted_average,
    True,
    0.0,
    1.0,
    "1/K for K equal classes",
    "group accuracies weighted by the groups' training shares: Sagawa et al., arXiv 1911.08731",
)
