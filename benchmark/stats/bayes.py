"""Macro F1 of one trained model as a posterior, with its interval of highest density.

For continuity with papers that report it so. The model, for a confusion matrix ``c [K, K]`` (row = class, column =
prediction) with row sums ``n_k``:

    prevalence        μ ~ Dirichlet(b, ..., b)         n | μ ~ Multinomial(N, μ)
    answers to k      θ_k ~ Dirichlet(a, ..., a)       c_k | θ_k, n_k ~ Multinomial(n_k, θ_k)

Both are conjugate, so draws are exact and no chain has to converge: ``μ | c ~ Dirichlet(b + n)``,
``θ_k | c ~ Dirichlet(a + c_k)``. The share of images of class i that are called j is ``P_ij = μ_i θ_ij``, and
``F1_k = 2 P_kk / (Σ_j P_kj + Σ_i P_ik)``; macro F1 is its mean over classes.

``a = b = 1`` is flat. With ``a = 1`` each class starts as K imagined answers, all but one of them wrong: with few
images a class, F1 is drawn towards 1/K. Images are independent draws in this likelihood; clusters break it, and seeds
have no place in it. Where a design fixed how many images each class has, the prevalence adds variance that is
not there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import Interval


def macro_f1_interval(
    prediction: Ints,
    label: Ints,
    unit: NDArray[Any],
    classes: int,
    draws: int,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    answer_prior: float = 1.0,
    prevalence_prior: float = 1.0,
) -> Interval:
    """Posterior mean of the macro F1, bounds of highest density, and the posterior's deviation as ``se``.

    Args:
        prediction: ``[N]`` class indices.
        label: ``[N]`` class indices.
        unit: ``[N]`` the independent unit of each image: another one for each.
        classes: K, at least 2.
        draws: Number of posterior draws, at least 2; with 10,000 the bounds move by about 1.5 % of the width.
        rng: The stream.
        level: Posterior probability between the bounds, in (0, 1).
        answer_prior: ``a`` > 0.
        prevalence_prior: ``b`` > 0.

    Raises:
        BenchmarkError: If a unit has several images, shapes disagree, or a number is out of its range.

    Source:
        Zhang, Wang and Zhao, Estimating the uncertainty of average F1 scores, ICTIR 2015; with two classes and
        ``b = K a`` as Goutte and Gaussier, ECIR 2005.
    """
    names, count = np.unique(np.asarray(unit), return_counts=True)
    if (count > 1).any():
        most = int(count.argmax())
        raise BenchmarkError(
            f"unit {names[most]!s} of a Bayesian macro F1",
            got=f"{count[most]} images",
            expected="one image a unit: images of one unit are not independent, as its likelihood takes them to be",
            do="Use the bootstrap over units: benchmark.stats.interval.variance_sum with draws of resample_counts.",
        )
    if len(count) != len(np.asarray(label)):
        got = f"{len(count)} and {len(label)}"
        raise BenchmarkError("units and labels of a Bayesian macro F1", got=got, expected="one an image")
    table = confusion(prediction, label, classes)
    drawn = macro_f1_of(joint_posterior(table, draws, rng, answer_prior, prevalence_prior))
    low, high = hdi(drawn, level)
    return Interval(float(drawn.mean()), float(low), float(high), float(drawn.std(ddof=1)), np.nan)


def confusion(prediction: Ints, label: Ints, classes: int) -> Ints:
    """``[K, K]``: how many images of each class (row) are called each class (column).

    Raises:
        BenchmarkError: If there is no image, shapes disagree or an index is no class.
    """
    prediction, label = np.asarray(prediction), np.asarray(label)
    if prediction.ndim != 1 or prediction.shape != label.shape or not len(label) or classes < 2:
        got = f"shapes {prediction.shape} and {label.shape}, {classes} classes"
        raise BenchmarkError("predictions and labels", got=got, expected="[N] twice, N >= 1, at least 2 classes")
    for name, index in (("prediction", prediction), ("label", label)):
        if index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= classes:
            got = np.unique(index)[[0, -1]].tolist()
            raise BenchmarkError(f"{name} is out of range", got=got, expected=f"class indices 0 to {classes - 1}")
    return np.bincount(label * classes + prediction, minlength=classes**2).reshape(classes, classes)


def joint_posterior(
    table: Ints, draws: int, rng: np.random.Generator, answer_prior: float = 1.0, prevalence_prior: float = 1.0
) -> Floats:
    """Draws of ``P_ij = μ_i θ_ij``, the share of images of class i that are called j.

    Args:
        table: ``[K, K]`` counts, row = class.
        draws: At least 2.
        rng: The stream.
        answer_prior: ``a`` > 0.
        prevalence_prior: ``b`` > 0.

    Returns:
        ``[draws, K, K]``, each summing to 1.

    Raises:
        BenchmarkError: If the table is not square, a count is negative, or a number is out of its range.
    """
    table = np.asarray(table)
    if table.ndim != 2 or len(table) < 2 or len(set(table.shape)) > 1 or not (table >= 0).all():
        raise BenchmarkError("confusion matrix", got=f"shape {table.shape}", expected="[K, K] counts >= 0, K >= 2")
    if draws < 2 or not 0 < answer_prior < np.inf or not 0 < prevalence_prior < np.inf:
        got = f"{draws} draws, priors {answer_prior} and {prevalence_prior}"
        raise BenchmarkError("posterior of a confusion matrix", got=got, expected="at least 2 draws, priors > 0")
    # A Dirichlet is gammas over their sum; the generator's own draws one vector of parameters at a time.
    answers = rng.standard_gamma(table + answer_prior, size=(draws, *table.shape))
    prevalence = rng.standard_gamma(table.sum(1) + prevalence_prior, size=(draws, len(table)))
    prevalence /= prevalence.sum(-1, keepdims=True)
    shares: Floats = answers / answers.sum(-1, keepdims=True) * prevalence[..., None]
    return shares


def macro_f1_of(joint: Floats) -> Floats:
    """Macro F1 of shares of class (row) and prediction (column): ``[..., K, K] -> [...]`` in [0, 1]."""
    hit = np.diagonal(joint, axis1=-2, axis2=-1)
    f1: Floats = (2 * hit / (joint.sum(-1) + joint.sum(-2))).mean(-1)
    return f1


def hdi(draws: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """The shortest interval that holds ``level`` of the draws; the lowest where several are equally short.

    Of a posterior with two peaks it is the shortest single interval, which may hold the valley between them.

    Args:
        draws: ``[..., B]``, finite, B >= 2.
        level: In (0, 1).

    Returns:
        Lower and upper bounds, ``[...]`` each.

    Raises:
        BenchmarkError: If a draw is not finite, or draws or level are out of range.
    """
    draws = np.sort(np.asarray(draws, float), axis=-1)
    if draws.ndim < 1 or draws.shape[-1] < 2 or not np.isfinite(draws).all() or not 0 < level < 1:
        got = f"shape {draws.shape}, level {level}"
        raise BenchmarkError("draws of an HDI", got=got, expected="[..., B] finite, B >= 2, a level between 0 and 1")
    held = int(np.ceil(round(level * draws.shape[-1], 9)))
    low, high = draws[..., : draws.shape[-1] - held + 1], draws[..., held - 1 :]
    first = (high - low).argmin(axis=-1)[..., None]
    return np.take_along_axis(low, first, -1)[..., 0], np.take_along_axis(high, first, -1)[..., 0]
