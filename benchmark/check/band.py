r"""Where the accuracy of one more training may lie: the prediction band of a stored training.

A model is trained again with the seed ``k`` of ``S`` stored ones, and tested on the same images. On the same kind of
machine its bits are equal. Elsewhere sums are rounded otherwise, a training goes its own way from there, and at worst
it is one more draw from what this recipe gives. Then both the stored value :math:`y_k` and the new one :math:`y` spread
around the mean of the recipe with the deviation that the stored seeds estimate:

.. math:: |y - y_k| \le t_{1 - \alpha/2,\,S - 1} \sqrt{s^2 + s^2}, \qquad s^2 = \tfrac{1}{S-1} \sum_j (y_j - \bar y)^2

old SE ⊕ new SE, where the SE is that of *one* training on *these* images: ``s``, not ``s / √S``. That of the test
sample is no part of it, since both are tested on the same units: what all trainings find hard cancels out in the
difference, and how each training answers each image by itself is in ``s²`` already.

Source: Hahn and Meeker 1991, Statistical Intervals, section 4.7 (one future observation: ``t s √(1 + 1/S)`` around the
mean). Around the stored value it is ``√2``, a little wider, and an equal training is never outside, whatever ``S`` is.

Without variance between the seeds (all images right in all of them, say), or with one seed, ``s`` says nothing. Then
the test sample must do: Newcombe's hybrid interval for a difference of two proportions, from Wilson's bounds ``l``,
``u`` of each,

.. math:: -\sqrt{(y_k - l_k)^2 + (u - y)^2} \le y - y_k \le \sqrt{(u_k - y_k)^2 + (y - l)^2}

as if the images were other ones: too wide rather than too narrow. A gap, the difference of two such proportions, adds
the squares of both. Source: Newcombe 1998, Statistics in Medicine 17, 873, method 10; Wilson 1927.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.stats.interval import ROUNDING, wilson


class Band(NamedTuple):
    """Where a new value may lie.

    Attributes:
        low: Lower end.
        high: Upper end.
        basis: What it was made from: ``training`` or ``test sample``.
    """

    low: float
    high: float
    basis: str

    def holds(self, value: float) -> bool:
        """Whether a value is inside; NaN is not."""
        return self.low <= value <= self.high


def training_band(values: Floats, place: int, *, level: float = 0.95) -> Band | None:
    """The band around a stored training from the variance between seeds.

    Args:
        values: ``[S]`` one value a stored seed, of the same test images.
        place: Which of them was trained again.
        level: In (0, 1).

    Returns:
        ``None`` where seeds do not tell a variance: one seed, or equal values.

    Raises:
        BenchmarkError: If a value is not finite, or there is no such place.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or not 0 <= place < len(values) or not np.isfinite(values).all():
        raise BenchmarkError("stored values of a band", got=values.tolist(), expected=f"finite, more than {place}")
    seeds = len(values)
    deviation = float(values.std(ddof=1)) if seeds > 1 else 0.0
    if deviation <= ROUNDING:
        return None
    half = float(stdtrit(seeds - 1, (1 + level) / 2)) * deviation * math.sqrt(2)
    return Band(float(values[place]) - half, float(values[place]) + half, "training")


def sample_reach(stored: float, new: float, n_units: int, *, level: float = 0.95) -> tuple[float, float]:
    """How far below and above a stored proportion a new one of as many units may lie, by Newcombe's method.

    Args:
        stored: In [0, 1].
        new: In [0, 1].
        n_units: Independent test units, at least 1.
        level: In (0, 1).
    """
    low, high = wilson(stored, n_units, level=level)
    new_low, new_high = wilson(new, n_units, level=level)
    return math.hypot(stored - low, new_high - new), math.hypot(high - stored, new - new_low)


def sample_band(stored: float, new: float, n_units: int, *, level: float = 0.95) -> Band:
    """The band around a stored accuracy from the test sample alone."""
    below, above = sample_reach(stored, new, n_units, level=level)
    return Band(max(0.0, stored - below), min(1.0, stored + above), "test sample")


def sample_gap_band(
    stored: tuple[float, float], new: tuple[float, float], n_units: int, *, level: float = 0.95
) -> Band:
    """The same of a gap, ``iid`` minus a variant: each pair holds the accuracies on both."""
    (iid_below, iid_above), (below, above) = (
        sample_reach(old, found, n_units, level=level) for old, found in zip(stored, new, strict=True)
    )
    gap = stored[0] - stored[1]
    return Band(gap - math.hypot(iid_below, above), gap + math.hypot(iid_above, below), "test sample")
