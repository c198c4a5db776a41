"""Whether probabilities mean what they say: calibration error and Brier score.

``ECE = Σ_m n_m / n |accuracy_m - confidence_m|`` over bins of confidence; ``Brier = mean Σ_k (p_k - [label = k])²``.

What a table of scores is, is read off the whole table: it holds probabilities where every row is a distribution (no
value below 0, sum 1 within 1e-5), and logits else, which a softmax turns into probabilities. A table of which most
rows are distributions, but not all, is neither: it is refused. Who knows that a table holds probabilities says so by
:func:`declared_probabilities`, which refuses a single row that is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from benchmark.api import Floats, Ints, Metric
from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import checked, ratio, weighted_sums

TOLERANCE = 1e-5
"""How far from 1 a row of probabilities may sum: float32 rounds so, float16 would not pass."""
BINS = 15


def ece(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Expected calibration error of the top class: 15 bins of confidence ``((m - 1)/15, m/15]``.

    A bin without images counts nothing. It is biased upwards where bins hold few images: compare it only between equal
    numbers of them. Depends on nothing but each image's highest probability and whether that class is its own.

    Args:
        score: ``[N, K]`` logits, or probabilities (see the module); of equal scores the first wins.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where all weights are zero.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class, a weight is negative, or some
            rows of probabilities are no distributions.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, 2017, equations 3 to 5.
    """
    score, label, weight = checked(score, label, weight)
    p = probabilities(score)
    top, confidence = p.argmax(1), p.max(1)
    found = np.zeros((len(p), BINS + 1))
    edges = np.arange(1, BINS) / BINS
    found[np.arange(len(p)), edges.searchsorted(confidence, "left")] = (top == label) - confidence
    found[:, -1] = 1
    sums = weighted_sums(weight, found)
    return ratio(np.abs(sums[..., :-1]).sum(-1), sums[..., -1])


def brier(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean squared distance of the probabilities from the label, summed over classes.

    For two classes it is twice the form that looks at one of them.

    Args:
        score: ``[N, K]`` logits, or probabilities (see the module).
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 2]; NaN where all weights are zero.

    Raises:
        BenchmarkError: As :func:`ece`.

    Source:
        Brier, Verification of forecasts expressed in terms of probability, 1950.
    """
    score, label, weight = checked(score, label, weight)
    missed = probabilities(score).copy()
    missed[np.arange(len(label)), label] -= 1
    sums = weighted_sums(weight, np.stack([(missed**2).sum(1), np.ones(len(label))], 1))
    return ratio(sums[..., 0], sums[..., 1])


def probabilities(score: Floats) -> Floats:
    """``[N, K]`` probabilities: the table itself where it holds them, else the softmax of its logits.

    Raises:
        BenchmarkError: If most rows are distributions, but not all.
    """
    if are_probabilities(score):
        return score
    p: Floats = softmax(score, axis=1)
    return p


def class_evidence(score: Floats) -> Floats:
    """``[N, K]`` in each column ordered like the class's probability: its log-odds ``z_k - log Σ_{j≠k} exp z_j``.

    Probabilities are taken as they are. Where they would saturate at 1, log-odds keep the order.

    Raises:
        BenchmarkError: If most rows are distributions, but not all.
    """
    if are_probabilities(score):
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


def are_probabilities(score: Floats) -> bool:
    """Whether every row of ``[N, K]`` is a distribution; a table of logits has next to none.

    Raises:
        BenchmarkError: If most rows are, but not all: then it is neither.
    """
    fine = _distributions(score)
    if not fine.all() and 2 * fine.sum() > len(fine):
        _refuse(score, fine)
    return bool(fine.all())


def declared_probabilities(score: Floats) -> Floats:
    """A table ``[N, K]`` that is said to hold probabilities, unchanged: every metric will read it as such.

    Raises:
        BenchmarkError: If a row is not finite, has a value below 0 or does not sum to one.
    """
    if not (fine := _distributions(score)).all():
        _refuse(score, fine)
    return score


def _distributions(score: Floats) -> NDArray[np.bool_]:
    fine: NDArray[np.bool_] = (score >= 0).all(1) & (np.abs(score.sum(1, dtype=float) - 1) <= TOLERANCE)
    return fine


def _refuse(score: Floats, fine: NDArray[np.bool_]) -> None:
    first = int(np.flatnonzero(~fine)[0])
    raise BenchmarkError(
        "probabilities do not sum to one",
        got=f"{int((~fine).sum())} of {len(fine)} rows; row {first} sums to {float(score[first].sum(dtype=float)):.6g}"
        f" and its least value is {float(score[first].min()):.6g}",
        expected=f"values >= 0 that sum to 1 within {TOLERANCE:g} in every row, or logits",
        do="Give the logits: a softmax is applied here.",
    )


ECE = Metric(
    "ece",
    "generalization",
    ece,
    False,
    0.0,
    1.0,
    "none: the shares of the classes, said of every image, have 0",
    "15 equal bins of the top class: Guo et al., arXiv 1706.04599",
)
BRIER = Metric(
    "brier",
    "generalization",
    brier,
    False,
    0.0,
    2.0,
    "1 - 1/K for equal probabilities",
    "sum over classes: Brier, Monthly Weather Review 1950",
)
