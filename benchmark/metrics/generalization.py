"""How well the classes are told apart: accuracy, macro F1, macro AUROC, and what a shift takes from them.

Weights are resample counts: a bootstrap of ``B`` draws is one call with ``weight [B, N]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from benchmark.api import Floats, Ints, Metric
from benchmark.errors import BenchmarkError

BLOCK = 64
"""Draws handled together: more would only take memory."""


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
    score, label, weight = _checked(score, label, weight)
    correct = (score.argmax(1) == label).astype(float)
    return _ratio(weight @ correct, weight.sum(-1))


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
    score, label, weight = _checked(score, label, weight)
    one_hot = np.eye(score.shape[1])
    labelled, predicted = one_hot[label], one_hot[score.argmax(1)]
    table = weight @ np.hstack([labelled * predicted, labelled + predicted])
    hits, mentions = np.split(table, 2, axis=-1)
    return _mean_of_defined(_ratio(2 * hits, mentions))


def macro_auroc(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over classes of the one-vs-rest AUROC; equal scores of a positive and a negative count one half.

    Images are ordered by the softmax probability of the class, since logits of different images are not
    comparable; by its log-odds, in fact, which keep the order where probabilities saturate at 1. A class
    without positives or without negatives under the weights is left out.

    Args:
        score: ``[N, K]`` logits; a table whose rows are all distributions is read as probabilities.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where every class is left out.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class or a weight is negative.
    """
    score, label, weight = _checked(score, label, weight)
    evidence = _class_evidence(score)
    plans = [_Ranks.of(evidence[:, k], label == k) for k in range(score.shape[1])]
    flat = weight.reshape(-1, len(label))
    areas = np.empty((len(flat), len(plans)))
    for start in range(0, len(flat), BLOCK):
        for k, plan in enumerate(plans):
            areas[start : start + BLOCK, k] = plan.auroc(flat[start : start + BLOCK])
    return _mean_of_defined(areas).reshape(weight.shape[:-1])


@dataclass(frozen=True)
class _Ranks:
    """One class's order of the images, sorted once for all draws.

    Attributes:
        positive: ``[P]`` rows of the positives.
        negative: ``[Q]`` rows of the negatives, by rising score.
        beaten: ``[P]`` how many negatives score lower than each positive.
        not_lost: ``[P]`` how many score lower or equal.
    """

    positive: NDArray[np.intp]
    negative: NDArray[np.intp]
    beaten: NDArray[np.intp]
    not_lost: NDArray[np.intp]

    @classmethod
    def of(cls, score: Floats, is_positive: NDArray[np.bool_]) -> _Ranks:
        positive, negative = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
        negative = negative[np.argsort(score[negative], kind="stable")]
        ladder, asked = score[negative], score[positive]
        return cls(positive, negative, ladder.searchsorted(asked, "left"), ladder.searchsorted(asked, "right"))

    def auroc(self, weight: Floats) -> Floats:
        """``Σ_ij w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / Σ_ij w_i w_j``, i positive, j negative.

        ``weight [B, N] -> [B]``.
        """
        below = np.zeros((len(weight), len(self.negative) + 1))
        np.cumsum(weight.take(self.negative, 1), axis=1, out=below[:, 1:])
        ours = weight.take(self.positive, 1)
        wins = np.einsum("bp,bp->b", ours, below.take(self.beaten, 1))
        tied = np.flatnonzero(self.not_lost > self.beaten)
        equal = below.take(self.not_lost[tied], 1) - below.take(self.beaten[tied], 1)
        wins += np.einsum("bp,bp->b", ours.take(tied, 1), equal) / 2
        return _ratio(wins, ours.sum(1) * below[:, -1])


def _class_evidence(score: Floats) -> Floats:
    """``[N, K]`` in each column ordered like the class's probability: ``z_k - log Σ_{j≠k} exp z_j``."""
    if (score >= 0).all() and np.allclose(score.sum(1), 1, rtol=0, atol=1e-6):
        return score
    rows, top = np.arange(len(score)), score.argmax(1)
    highest = score[rows, top]
    share = np.exp(score - highest[:, None])
    others = share.sum(1, keepdims=True) - share
    # What is left beside the highest is lost in that subtraction, so it is summed by itself.
    rest = score.copy()
    rest[rows, top] = -np.inf
    others[rows, top] = 1
    evidence: Floats = score - highest[:, None] - np.log(others)
    evidence[rows, top] = highest - logsumexp(rest, axis=1)
    return evidence


def _checked(score: Floats, label: Ints, weight: Floats | None) -> tuple[Floats, Ints, Floats]:
    score, label = np.asarray(score, float), np.asarray(label)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, float)
    if score.ndim != 2 or score.shape[1] < 2 or label.shape != score.shape[:1] or not len(label):
        raise BenchmarkError(
            "scores and labels of a metric",
            got=f"shapes {score.shape} and {label.shape}",
            expected="[N, K] and [N] with N >= 1, K >= 2",
        )
    if not np.isfinite(score).all():
        raise BenchmarkError("score of a metric is not finite", do="Look for a training that diverged.")
    if label.dtype.kind not in "iu" or label.min() < 0 or label.max() >= score.shape[1]:
        raise BenchmarkError("labels", got=np.unique(label)[[0, -1]].tolist(), expected="class indices below K")
    if weight.ndim == 0 or weight.shape[-1] != len(label) or not (weight >= 0).all():
        raise BenchmarkError("weights", got=f"shape {weight.shape}", expected=f"[..., {len(label)}], all >= 0")
    return score, label, weight


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, np.divide(part, whole), np.nan)


def _mean_of_defined(value: Floats) -> Floats:
    defined = ~np.isnan(value)
    return _ratio(np.where(defined, value, 0).sum(-1), defined.sum(-1))


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
MACRO_AUROC = Metric(
    "macro_auroc",
    "generalization",
    macro_auroc,
    True,
    0.0,
    1.0,
    "0.5",
    "Hanley and McNeil 1982 (Mann-Whitney form), one class against the rest",
)
