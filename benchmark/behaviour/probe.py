r"""Can the mark be read from a model's features? A linear probe within each class.

For each class, logistic regression on standardised features tells the class's iid images (own mark) from the same
images with another class's mark (``deceiving``), in five folds of units. A score well above 1/2 says that the features
hold the mark: not that the model uses it. A score of 1/2 says that a *linear* reading of these features finds nothing.
So it is context beside the other measurements, and no proof.

A model whose features do not change with the mark gives exactly 1/2: both versions of an image get one answer.

Source: Alain and Bengio 2016, arXiv 1610.01644 (linear probes), asked within classes, where the label tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmark.api import Floats, Ints, UInt8
from benchmark.behaviour.measure import Measured
from benchmark.behaviour.prepare import parts
from benchmark.behaviour.shown import Shown
from benchmark.errors import BenchmarkError
from benchmark.metrics.behaviour import mean_of_defined
from benchmark.seeding import Draws

FOLDS = 5
C = 1.0
"""Inverse strength of the L2 penalty on standardised features."""

Features = Callable[[UInt8, UInt8], Floats]
"""``(image [n, H, W, C], mask [n, H, W]) -> [n, F]``: what the last linear layer reads."""


def decodability(features: Features | None, shown: Mapping[str, Shown]) -> Measured:
    """How well a linear probe tells the own mark from another's, within each class.

    Args:
        features: Of the trained model; ``None`` if it has none.
        shown: Variant to images.

    Returns:
        ``("bias_decodability", "deceiving")`` to ``[M]``: of each image, the mean correctness over its two versions.
        NaN where the two do not carry different marks, where an image has no foreground or no background, where a
        feature is not finite, and in classes of fewer than 5 units. Empty without features (``F = 0``), or unless iid
        and deceiving show the same images.

    Raises:
        BenchmarkError: If the features are not ``[n, F]``.
    """
    iid, deceiving = shown.get("iid"), shown.get("deceiving")
    if features is None or iid is None or deceiving is None or not iid.same_images(deceiving):
        return {}
    own, others = (features_of(features, images) for images in (iid, deceiving))
    if own.size == 0:
        return {}
    finite = np.isfinite(own).all(1) & np.isfinite(others).all(1)
    marked = iid.usable & (iid.code != deceiving.code) & (iid.code >= 0) & (deceiving.code >= 0)
    found = np.full(len(iid), np.nan, np.float32)
    for label in np.unique(iid.label).tolist():
        rows = np.flatnonzero(finite & marked & (iid.label == label))
        rows = rows[np.argsort(iid.id[rows], kind="stable")]
        fold = folds(iid.unit[rows])
        if len(rows) and fold.max() == FOLDS - 1:
            found[rows] = probed(own[rows], others[rows], fold)
    return {("bias_decodability", "deceiving"): found}


def features_of(features: Features, shown: Shown) -> Floats:
    """``[M, F]``, asked in blocks."""
    found = []
    for _, part in parts(shown):
        given = np.asarray(features(part.image, part.mask), np.float64)
        if given.size and given.shape[:-1] != (len(part),):
            raise BenchmarkError("features of a model", got=given.shape, expected=f"shape ({len(part)}, F)")
        found.append(given)
    return np.concatenate(found) if found else np.empty((0, 0))


def folds(unit: NDArray[np.str_]) -> Ints:
    """``[n]`` the fold of each image, by its unit: units in the order of their draws, dealt out in turn."""
    names, member = np.unique(unit, return_inverse=True)
    place = np.argsort(np.argsort(Draws(0, names).uniform("fold"), kind="stable"), kind="stable")
    return np.asarray(place[member] % FOLDS, np.int64)


def probed(own: Floats, others: Floats, fold: Ints) -> Floats:
    """``[n]`` correctness of the two versions of each image, by a probe that saw neither."""
    right = np.empty((len(own), 2))
    with threadpool_limits(1):  # sums in one order: the same bits on any number of cores
        for held in range(FOLDS):
            out = fold == held
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
            probe.fit(np.concatenate([own[~out], others[~out]]), np.repeat([0, 1], (~out).sum()))
            for kind, versions in enumerate((own, others)):
                right[out, kind] = probe.predict(versions[out]) == kind
    return mean_of_defined(right)
