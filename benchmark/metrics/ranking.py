"""How well scores order the images: AUROC, one class against the rest and by pairs (Hand-Till), and AUPRC.

``A(k|j) = Σ w_p w_q ([s_p > s_q] + [s_p = s_q] / 2) / Σ w_p w_q`` with ``p`` of class ``k``, ``q`` of class ``j`` and
``s`` the evidence for ``k``. For a positive above a negative it is enough to know how many positives lie above it: the
images are sorted once, then every draw needs running sums of its counts and one product for each negative. One pass
gives all ``A(k|j)``, and with them both AUROCs. Weights in single precision are summed in it where it holds every
sum of counts exactly, which takes half the memory; others keep seven digits then.

Images are ordered by the softmax probability of the class, since logits of different images are not comparable; by its
log-odds, in fact, which keep the order where probabilities saturate at 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmark.api import Floats, Ints, Metric
from benchmark.metrics.calibration import class_evidence
from benchmark.metrics.generalization import EXACT, checked, mean_of_defined, ratio, refuse_weight

NUMBERS = 2**19
"""Weights handled together: more would leave the cache."""


def macro_auroc(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over classes of the one-vs-rest AUROC; equal scores of a positive and a negative count one half.

    A class without positives or without negatives under the weights is left out.

    Args:
        score: ``[N, K]`` logits; a table whose rows are all distributions is read as probabilities.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where every class is left out.

    Raises:
        BenchmarkError: If shapes disagree, a score is not finite, a label is no class, a weight is negative, or some
            rows of probabilities are no distributions.
    """
    return _table(score, label, weight, ("macro_auroc",))["macro_auroc"]


def macro_auroc_hand_till(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over pairs of classes of ``(A(k|j) + A(j|k)) / 2``: does not depend on how frequent the classes are.

    A pair of which one class has no images under the weights is left out.

    Args:
        score: ``[N, K]`` logits; a table whose rows are all distributions is read as probabilities.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where fewer than two classes have images.

    Raises:
        BenchmarkError: As :func:`macro_auroc`.

    Source:
        Hand and Till, A Simple Generalisation of the Area Under the ROC Curve, 2001, equation 7.
    """
    return _table(score, label, weight, ("macro_auroc_hand_till",))["macro_auroc_hand_till"]


def macro_auprc(score: Floats, label: Ints, weight: Floats | None = None) -> Floats:
    """Mean over classes of the one-vs-rest average precision ``Σ_t (R_t - R_{t-1}) P_t`` over thresholds ``t``.

    Images of equal score pass a threshold together. A class without positives or without negatives under the weights is
    left out (without negatives every order has precision 1).

    Args:
        score: ``[N, K]`` logits; a table whose rows are all distributions is read as probabilities.
        label: ``[N]`` class indices.
        weight: ``[..., N]`` how often each image counts, >= 0; each image once by default.

    Returns:
        ``[...]`` in [0, 1]; NaN where every class is left out.

    Raises:
        BenchmarkError: As :func:`macro_auroc`.
    """
    return _table(score, label, weight, ("macro_auprc",))["macro_auprc"]


def ranking_table(score: Floats, label: Ints, weight: Floats | None = None) -> dict[str, Floats]:
    """All three by name, the same numbers in two thirds of the time of three calls.

    Arguments and errors as :func:`macro_auroc`.
    """
    return _table(score, label, weight, ("macro_auroc", "macro_auroc_hand_till", "macro_auprc"))


def _table(score: Floats, label: Ints, weight: Floats | None, names: tuple[str, ...]) -> dict[str, Floats]:
    score, label, weight = checked(score, label, weight)
    order = _Order.of(class_evidence(score), label)
    blocks = [order.block(part, names) for part in _parts(weight)]
    joined = {name: np.concatenate([block[name] for block in blocks]) if blocks else np.empty(0) for name in names}
    return {name: value.reshape(weight.shape[:-1]) for name, value in joined.items()}


def _parts(weight: NDArray[Any]) -> Iterator[Floats]:
    flat = weight.reshape(-1, weight.shape[-1])
    step = max(16, NUMBERS // flat.shape[1])
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        if not (part.min() >= 0 and np.isfinite(part.max())):
            refuse_weight(weight)
        # The largest number that is summed up is a product of the weights of two classes.
        short = part.dtype == np.float32 and float(part.sum(1, dtype=np.float64).max()) ** 2 < EXACT
        yield part.astype(np.float32 if short else np.float64)


@dataclass(frozen=True)
class _Class:
    """Where the other images stand among the positives of one class, which are sorted by falling evidence.

    Most images of other classes stand below every positive: only those that do not are looked at.

    Attributes:
        start: The first row of the positives in the common order of images.
        stop: One past their last row.
        losing: ``[L]`` rows of other images that do not stand below every positive.
        above: ``[L]`` how many positives have more evidence than each of them.
        tied: Places in ``losing`` of those that have as much as a positive.
        not_below: ``[len(tied)]`` how many positives have as much or more.
        clean: How many positives have more evidence than any other image.
        enters: ``[P - clean, N]`` sparse: the other images that pass the threshold after so many positives, and the
            clean ones.
        through: ``[P]`` how many positives have as much evidence as each of them, or more.
    """

    start: int
    stop: int
    losing: NDArray[np.intp]
    above: NDArray[np.intp]
    tied: NDArray[np.intp]
    not_below: NDArray[np.intp]
    clean: int
    enters: csr_array
    through: NDArray[np.intp]

    @classmethod
    def of(cls, start: int, stop: int, evidence: Floats) -> _Class:
        """Of ``evidence [N]`` for the class, falling from ``start`` to ``stop``."""
        ladder, size = -evidence[start:stop], len(evidence)
        above, not_below = ladder.searchsorted(-evidence, "left"), ladder.searchsorted(-evidence, "right")
        other = np.r_[0:start, stop:size]
        losing = other[above[other] < stop - start]
        tied = np.flatnonzero(not_below[losing] > above[losing])
        clean = int(above[losing].min(initial=stop - start))
        place = (above[losing] - clean, losing)
        enters = csr_array((np.ones(len(losing), np.float32), place), shape=(stop - start - clean, size))
        ties = tied, not_below[losing[tied]]
        return cls(start, stop, losing, above[losing], *ties, clean, enters, not_below[start:stop])

    def losses(self, draw: Floats, running: Floats) -> Floats:
        """``[L, B]``: weights of the losing images times the positives below them, those equal to them by half."""
        below = running[self.stop] - running[self.start : self.stop + 1]
        product: Floats = below.take(self.above, 0)
        product[self.tied] = (product[self.tied] + below.take(self.not_below, 0)) / 2
        product *= draw[self.losing]
        return product

    def precision(self, part: Floats, draw: Floats, running: Floats) -> Floats:
        """``[B]``: the average precision times the weight of the positives; that of the clean ones is 1."""
        first = self.start + self.clean
        area: Floats = (running[:, first] - running[:, self.start]).astype(np.float64)
        if first == self.stop:
            return area
        entered = np.ascontiguousarray((self.enters @ draw).T)
        false = np.cumsum(entered, axis=1, out=entered)
        true = running.take(self.start + self.through[self.clean :], 1) - running[:, self.start, None]
        with np.errstate(invalid="ignore"):
            # Nothing through the threshold yet: the positive itself has no weight.
            share = np.where(true > 0, np.divide(true, true + false, dtype=np.float64), 0)
        area += np.einsum("bp,bp->b", part[:, first : self.stop], share)
        return area


@dataclass(frozen=True)
class _Order:
    """The images sorted once for all draws: by class, within a class by falling evidence for it."""

    row: NDArray[np.intp]
    classes: tuple[_Class, ...]

    @classmethod
    def of(cls, evidence: Floats, label: Ints) -> _Order:
        row = np.lexsort((-evidence[np.arange(len(label)), label], label))
        edges = label[row].searchsorted(np.arange(evidence.shape[1] + 1))
        present = [k for k in range(evidence.shape[1]) if edges[k + 1] > edges[k]]
        return cls(row, tuple(_Class.of(int(edges[k]), int(edges[k + 1]), evidence[row, k]) for k in present))

    def block(self, part: Floats, names: tuple[str, ...]) -> dict[str, Floats]:
        """The metrics ``[B]`` of the weights ``[B, N]``."""
        part = part.take(self.row, 1)
        running = np.zeros((len(part), part.shape[1] + 1), part.dtype)
        np.cumsum(part, axis=1, out=running[:, 1:])
        # Draws side by side: a step of one image is then a step of all of them.
        draw, across = np.ascontiguousarray(part.T), np.ascontiguousarray(running.T)
        mass = np.stack([across[one.stop] - across[one.start] for one in self.classes]).astype(np.float64)
        rest = mass.sum(0) - mass
        areas: list[Floats] = []
        pairs = np.zeros(len(part))
        precisions: list[Floats] = []
        for k, one in enumerate(self.classes):
            if {"macro_auroc", "macro_auroc_hand_till"} & set(names):
                won, lost = mass[k] * mass, one.losses(draw, across)
                edges = one.losing.searchsorted([each.start for each in self.classes] + [part.shape[1]])
                for j in np.flatnonzero(np.diff(edges)):
                    won[j] -= lost[edges[j] : edges[j + 1]].sum(0)
                won[k] = 0
                np.maximum(won, 0, out=won)  # weights that are no whole numbers leave a rounding error
                areas.append(ratio(won.sum(0), mass[k] * rest[k]))
                pairs += np.nan_to_num(ratio(won, mass[k] * mass), nan=0).sum(0)
            if "macro_auprc" in names:
                area = ratio(one.precision(part, draw, running), mass[k])
                precisions.append(np.where(rest[k] > 0, area, np.nan))
        met = (mass > 0).sum(0)
        found = {"macro_auroc_hand_till": ratio(pairs, met * (met - 1))}
        found |= {"macro_auroc": mean_of_defined(np.stack(areas, -1))} if areas else {}
        found |= {"macro_auprc": mean_of_defined(np.stack(precisions, -1))} if precisions else {}
        return {name: found[name] for name in names}


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
MACRO_AUROC_HAND_TILL = Metric(
    "macro_auroc_hand_till",
    "generalization",
    macro_auroc_hand_till,
    True,
    0.0,
    1.0,
    "0.5",
    "mean over pairs of classes: Hand and Till, Machine Learning 2001",
)
MACRO_AUPRC = Metric(
    "macro_auprc",
    "generalization",
    macro_auprc,
    True,
    0.0,
    1.0,
    "about 1/K: the mean share of a class",
    "average precision, one class against the rest: Davis and Goadrich, ICML 2006",
)
