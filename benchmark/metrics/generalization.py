"""How often the class is right: accuracy, balanced accuracy, macro F1, and what a shift takes from them.

Weights are resample counts: a bootstrap of ``B`` draws is one call with ``weight [B, N]``. All that these metrics need
of a draw is how often each kind of image came, so a call is one matrix product ``weight [B, N] @ kinds [N, C]``.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints, Metric
from benchmark.errors import BenchmarkError

DRAWS = 256
"""Draws handled together: their weights stay in the cache between check and product."""
EXACT = 2.0**24
"""Whole numbers below it are exact in float32, and so are sums of whole numbers that end below it."""


def accuracy(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Share of the images whose highest score is their class.

    Args:
        score: ``[N, K]`` class probabilities or logits; of equal scores the first wins.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where all weights are zero.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class or a weight is negative.
    """
    score, label, weight = checked(score, label, weight)
    hit = score.argmax(1) == label
    sums = weighted_sums(weight, np.stack([hit, np.ones_like(hit)], 1))
    return ratio(sums[..., 0], sums[..., 1])


def balanced_accuracy(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over classes of the share of the class's images that are hit (recall).

    A class without images under the weights is left out.

    Args:
        score: ``[N, K]`` class probabilities or logits; of equal scores the first wins.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where all weights are zero.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class or a weight is negative.
    """
    score, label, weight = checked(score, label, weight)
    labelled = one_hot(label, score.shape[1])
    hit = (score.argmax(1) == label)[:, None]
    hits, images = np.split(weighted_sums(weight, np.hstack([labelled * hit, labelled])), 2, axis=-1)
    return mean_of_defined(ratio(hits, images))


def macro_f1(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over classes of ``F1_k = 2 TP_k / (labelled_k + predicted_k)``.

    A class that has neither labels nor predictions under the weights is left out; a class with labels that is
    never predicted, or predicted without labels, counts 0.

    Args:
        score: ``[N, K]`` class probabilities or logits; of equal scores the first wins.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where all weights are zero.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class or a weight is negative.
    """
    score, label, weight = checked(score, label, weight)
    labelled, predicted = one_hot(label, score.shape[1]), one_hot(score.argmax(1), score.shape[1])
    table = weighted_sums(weight, np.hstack([labelled * predicted, labelled + predicted]))
    hits, mentions = np.split(table, 2, axis=-1)
    return mean_of_defined(ratio(2 * hits, mentions))


def checked(score: Floats, label: Ints, weight: Floats | None) -> tuple[Floats, Ints, NDArray[Any]]:
    """The arguments of a metric of predictions as arrays, weights in the type that they came in.

    Raises:
        BenchmarkError: If shapes disagree, scores are not finite (it counts them) or a label is no class. That no
            weight is negative is seen where they are used.
    """
    score, label = np.asarray(score, float), np.asarray(label)
    if score.ndim != 2 or score.shape[1] < 2 or label.shape != score.shape[:1] or not len(label):
        raise BenchmarkError(
            "scores and labels of a metric",
            got=f"shapes {score.shape} and {label.shape}",
            expected="[N, K] and [N] with N >= 1, K >= 2",
        )
    if len(broken := np.flatnonzero(~np.isfinite(score).all(1))):
        raise BenchmarkError(
            "score of a metric is not finite",
            got=f"{len(broken)} of {len(score)} images, the first in row {broken[0]}",
            do="Look for a training that diverged: nothing is scored as long as one image has no score.",
        )
    if label.dtype.kind not in "iu" or label.min() < 0 or label.max() >= score.shape[1]:
        raise BenchmarkError("labels", got=np.unique(label)[[0, -1]].tolist(), expected="class indices below K")
    return score, label, checked_weight(weight, len(label))


def checked_weight(weight: Floats | None, images: int) -> NDArray[Any]:
    """Weights ``[..., N]`` as they came, ones by default.

    Raises:
        BenchmarkError: If they are not numbers of ``images`` images.
    """
    weight = np.ones(images) if weight is None else np.asarray(weight)
    if weight.dtype.kind not in "buif" or weight.ndim == 0 or weight.shape[-1] != images:
        refuse_weight(weight)
    return weight


def weighted_sums(weight: NDArray[Any], column: NDArray[Any]) -> Floats:
    """``Σ_n weight[..., n] column[n]``, by blocks of draws: the weights are never copied as a whole.

    Whole-numbered columns of weights that fit into float32 are summed in float32, twice as fast; counts stay exact,
    other weights keep seven digits. Where a sum is too great for that, and for all else, in double precision.

    Args:
        weight: ``[..., N]``, >= 0.
        column: ``[N, C]``, >= 0 where it holds whole numbers.

    Returns:
        ``[..., C]`` in double precision.

    Raises:
        BenchmarkError: If a weight is negative or not finite.
    """
    flat = weight.reshape(-1, weight.shape[-1])
    short = column.dtype.kind in "bui" and np.can_cast(weight.dtype, np.float32)
    kind: type[np.floating[Any]] = np.float32 if short else np.float64
    ready: Floats = column.astype(kind)
    sums = np.empty((len(flat), column.shape[1]))
    for start in range(0, len(flat), DRAWS):
        block: Floats = flat[start : start + DRAWS]
        if not (block.min() >= 0 and np.isfinite(block.max())):
            refuse_weight(weight)
        found: Floats = block.astype(kind, copy=False) @ ready
        if short and found.max() >= EXACT:
            found = block.astype(np.float64) @ column.astype(np.float64)
        sums[start : start + DRAWS] = found
    return sums.reshape(*weight.shape[:-1], column.shape[1])


def refuse_weight(weight: NDArray[Any]) -> NoReturn:
    """Raises the error for weights that are no counts.

    Raises:
        BenchmarkError: Always.
    """
    raise BenchmarkError(
        "weights", got=f"{weight.dtype} of shape {weight.shape}", expected="[..., N], all >= 0 and finite"
    )


def one_hot(index: Ints, count: int) -> NDArray[np.int8]:
    """``[N] -> [N, count]``."""
    return np.eye(count, dtype=np.int8)[index]


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, NaN where ``whole`` is not above zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, np.divide(part, whole), np.nan)


def mean_of_defined(value: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(value)
    return ratio(np.where(defined, value, 0).sum(-1), defined.sum(-1))


def gap(metric: Metric) -> Metric:
    """What a shift takes away: the metric on iid minus the metric on another variant, so that less is better.

    Its function is ``(value on iid [...], value on the variant [...]) -> [...]``. The sign turns for a metric
    of which less is better.
    """
    sign = 1 if metric.higher_is_better else -1
    span = metric.high - metric.low
    return Metric(
        name=f"{metric.name}_gap",
        family=metric.family,
        function=lambda iid, shifted: sign * (iid - shifted),
        higher_is_better=False,
        low=-span,
        high=span,
        chance="0",
        source=f"{metric.name} on iid minus {metric.name} on the variant",
    )


ACCURACY = Metric("accuracy", "generalization", accuracy, True, 0.0, 1.0, "1/K for K equal classes", "share of hits")
BALANCED_ACCURACY = Metric(
    "balanced_accuracy",
    "generalization",
    balanced_accuracy,
    True,
    0.0,
    1.0,
    "1/K",
    "mean of per-class recall: Brodersen et al., ICPR 2010",
)
MACRO_F1 = Metric(
    "macro_f1",
    "generalization",
    macro_f1,
    True,
    0.0,
    1.0,
    "about 1/K for K equal classes",
    "mean of per-class F1: Opitz and Burst, arXiv 1911.03347",
)
