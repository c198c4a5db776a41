"""Two trained models on one test set: McNemar's test of accuracy, DeLong's test and interval of a binary AUROC.

Extras, never the headline. They speak of these checkpoints alone: another training would have given other models, and
they know nothing of that. They take every image as independent, so with several images a patient their p-values
are too small. The headline is :func:`benchmark.stats.compare.paired_difference`, which counts both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, chdtrc, ndtr, ndtri

from benchmark.api import Floats, Ints
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.stats.interval import Interval

Form = Literal["mid_p", "exact", "chi2"]


@dataclass(frozen=True)
class McNemar:
    """What two models disagree on.

    Attributes:
        ours_only: Images that only the first model has right, ``b``.
        theirs_only: Images that only the second has right, ``c``.
        p: Two-sided p-value of "equal accuracy"; 1 where they disagree on nothing.
    """

    ours_only: int
    theirs_only: int
    p: float


def mcnemar(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], form: Form = "mid_p") -> McNemar:
    """McNemar's test: of the ``n = b + c`` images that one model alone has right, ``b ~ Binomial(n, 1/2)``.

    Args:
        ours: ``[N]`` whether the first model has each image right.
        theirs: ``[N]`` the second model, on the same images.
        form: ``exact`` is twice the smaller tail (at most 1). ``mid_p`` counts only half of the observed outcome:
            ``exact - P(b)``, and ``1 - P(b) / 2`` for ``b = c``; with few disagreements ``exact`` rejects far too
            rarely. ``chi2`` is ``(b - c)² / (b + c)`` without continuity correction, for ``n`` of 25 and more.

    Raises:
        BenchmarkError: If the sides are not two boolean arrays of one length, or the form is unknown.

    Source:
        McNemar 1947; the three forms as compared by Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13:91, 2013.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.dtype != bool or theirs.dtype != bool or ours.ndim != 1 or ours.shape != theirs.shape or not len(ours):
        raise BenchmarkError(
            "hits of two models",
            got=f"{ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}",
            expected="two boolean arrays [N], the same images in the same order, N >= 1",
        )
    if form not in get_args(Form):
        raise_unknown("form of McNemar's test", form, get_args(Form))
    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    if b + c == 0:
        return McNemar(b, c, 1.0)
    if form == "chi2":
        return McNemar(b, c, float(chdtrc(1, (b - c) ** 2 / (b + c))))
    p = min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))
    if form == "mid_p":
        seen = math.comb(b + c, b) / 2 ** (b + c)
        p -= seen / 2 if b == c else seen
    return McNemar(b, c, p)


def delong(score: Floats, label: Ints) -> tuple[Floats, Floats]:
    """AUROCs of ``M`` models on the same images, and the covariance of their estimates.

    With ``m`` positives ``x_i`` and ``n`` negatives ``y_j``, and midranks ``T`` among all images, ``Tx`` and ``Ty``
    within a class:

        A = (Σ_i T(x_i) / m - (m + 1) / 2) / n
        V10_i = (T(x_i) - Tx(x_i)) / n          share of the negatives below ``x_i``
        V01_j = 1 - (T(y_j) - Ty(y_j)) / m      share of the positives above ``y_j``
        cov = S10 / m + S01 / n                 sample covariances of V10 and V01

    Args:
        score: ``[M, N]`` evidence for class 1, the higher the more: its logit minus that of class 0.
        label: ``[N]`` 0 or 1, at least two images of each.

    Returns:
        ``[M]`` in [0, 1] and ``[M, M]``.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is neither 0 nor 1, or a class has
            fewer than two images.

    Source:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44:837, 1988; by midranks as Sun and Xu, IEEE Signal Processing
        Letters 21:1389, 2014.
    """
    score, label = np.asarray(score, float), np.asarray(label)
    _check(score, label)
    x, y = score[:, label == 1], score[:, label == 0]
    m, n = x.shape[1], y.shape[1]
    from scipy.stats import rankdata  # slow to import

    among_all = rankdata(np.hstack([x, y]), axis=1)
    below = (among_all[:, :m] - rankdata(x, axis=1)) / n
    above = 1 - (among_all[:, m:] - rankdata(y, axis=1)) / m
    return below.mean(1), _covariance(below) / m + _covariance(above) / n


def delong_interval(score: Floats, label: Ints, *, level: float = 0.95) -> Interval:
    """``A ± z se`` of one model, clipped to [0, 1]; not defined where the classes are separated without error.

    Args:
        score: ``[N]`` evidence for class 1.
        label: ``[N]`` 0 or 1, at least two images of each.
        level: Nominal coverage in (0, 1).

    Raises:
        BenchmarkError: As :func:`delong`, or if the level is not in (0, 1).
    """
    area, covariance = delong(np.asarray(score, float)[None], label)
    return _normal(float(area[0]), float(covariance[0, 0]), level, 0.0)


def delong_test(ours: Floats, theirs: Floats, label: Ints, *, level: float = 0.95) -> tuple[Interval, float]:
    """The difference of two models' AUROCs on the same images, ours minus theirs, and its two-sided p-value.

    ``z = (A - A') / se``, ``se² = cov_11 + cov_22 - 2 cov_12``; p is NaN where the difference has no variance.

    Args:
        ours: ``[N]`` the first model's evidence for class 1.
        theirs: ``[N]`` the second's, on the same images.
        label: ``[N]`` 0 or 1, at least two images of each.
        level: Nominal coverage in (0, 1).

    Raises:
        BenchmarkError: As :func:`delong`, or if the level is not in (0, 1).
    """
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if ours.shape != theirs.shape:
        raise BenchmarkError(
            "scores of two models", got=f"shapes {ours.shape} and {theirs.shape}", expected="the same images"
        )
    area, covariance = delong(np.stack([ours, theirs]), label)
    contrast = np.array([1, -1])
    found = _normal(float(contrast @ area), float(contrast @ covariance @ contrast), level, -1.0)
    return found, float(2 * ndtr(-abs(found.value) / found.se)) if found.se > 0 else np.nan


def _normal(value: float, variance: float, level: float, low: float) -> Interval:
    if not 0 < level < 1:
        raise BenchmarkError("level of an interval", got=level, expected="a number between 0 and 1", do="Try 0.95.")
    if variance < 1e-24:  # rounding
        return Interval(value, np.nan, np.nan, 0.0, np.nan, "no variance between images")
    se = float(np.sqrt(variance))
    half = float(ndtri((1 + level) / 2)) * se
    return Interval(value, max(low, value - half), min(1.0, value + half), se, np.nan)


def _covariance(placement: Floats) -> Floats:
    covariance: Floats = np.atleast_2d(np.cov(placement))
    return covariance


def _check(score: Floats, label: NDArray[Any]) -> None:
    if score.ndim != 2 or not len(score) or label.shape != score.shape[1:]:
        got = f"shapes {score.shape} and {label.shape}"
        raise BenchmarkError("scores and labels of an AUROC", got=got, expected="[M, N] and [N]")
    if not np.isfinite(score).all():
        raise BenchmarkError("score of an AUROC is not finite", do="Look for a training that diverged.")
    if not np.isin(label, (0, 1)).all():
        expected = "0 and 1: DeLong's test is for two classes"
        raise BenchmarkError("labels of an AUROC", got=np.unique(label)[:5].tolist(), expected=expected)
    if (counts := [int((label == k).sum()) for k in (0, 1)]) and min(counts) < 2:
        raise BenchmarkError("images of each class of an AUROC", got=counts, expected="at least 2 of each")
