"""The bootstrap over units: how often each image counts in each draw.

A draw of ``U`` units with replacement is known by its counts ``c ~ Multinomial(U, 1/U, ..., 1/U)``: a statistic that
takes weights needs no rows, and one that needs only a table of counts (accuracy, F1) not even those.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats
from benchmark.errors import BenchmarkError

CELLS = 1 << 15
"""Counts made together: few enough for the cache of a core. Decides what a stream draws within strata."""


def resample_counts(
    unit: NDArray[Any], draws: int, rng: np.random.Generator, strata: NDArray[Any] | None = None
) -> Floats:
    """Draws as many units as there are, with replacement; the images of a unit come and go together.

    Args:
        unit: ``[N]`` the unit of each image. The counts belong to the units' names: another order of the images
            gives the same draws.
        draws: Number of draws, at least 1.
        rng: The stream.
        strata: ``[N]`` drawn within each stratum, for designs that fixed how many units each one has.

    Returns:
        ``[draws, N]`` counts, float32 (exact).

    Raises:
        BenchmarkError: If there are fewer than 2 units, in all or in a stratum (it would never vary), or if a
            unit lies in two strata.

    Source:
        Multinomial form of the cluster bootstrap: Davison and Hinkley, Bootstrap Methods, 1997, section 3.8.
    """
    unit = np.asarray(unit)
    strata = np.zeros(len(unit), int) if strata is None else np.asarray(strata)
    if draws < 1 or unit.ndim != 1 or unit.shape != strata.shape:
        raise BenchmarkError(
            "bootstrap",
            got=f"{draws} draws, unit {unit.shape}, strata {strata.shape}",
            expected="at least 1 draw, unit [N] and strata [N]",
        )
    names, first, member = np.unique(unit, return_index=True, return_inverse=True)
    stratum = strata[first]
    _enough("", len(names))
    if len(torn := np.flatnonzero(stratum[member] != strata)):
        raise BenchmarkError(
            f"unit {unit[torn[0]]!s} lies in two strata",
            got=[stratum[member][torn[0]].item(), strata[torn[0]].item()],
            expected="one stratum a unit",
            do="Do not stratify, or by something that all images of a unit share.",
        )
    groups = [np.flatnonzero(stratum == value) for value in np.unique(stratum)]
    for rows in groups:
        _enough(f" in stratum {stratum[rows[0]]!s}", len(rows))
    place = np.argsort(np.concatenate(groups))[member]
    counts = np.empty((draws, len(unit)), np.float32)
    together = max(1, CELLS // len(names))
    for start in range(0, draws, together):
        block = counts[start : start + together]
        of_units = [_counts_of_units(len(rows), len(block), rng) for rows in groups]
        block[:] = np.concatenate(of_units, axis=1).take(place, axis=1)
    return counts


def resample_patterns(pattern: NDArray[Any], draws: int, rng: np.random.Generator) -> Floats:
    """Draws images with replacement and tells only how many show each pattern: ``Multinomial(N, n_1/N, ..., n_P/N)``.

    For metrics of the confusion matrix, where a pattern is a pair of label and prediction: equal in distribution to
    :func:`resample_counts` summed over the images of each pattern, at the price of ``P`` numbers a draw instead of
    ``N``. The draws are of this model alone: for a difference of two, a pattern is a triple of label and both
    predictions. Not for clusters or strata.

    Args:
        pattern: ``[N]`` what each image shows, N >= 2.
        draws: Number of draws, at least 1.
        rng: The stream.

    Returns:
        ``[draws, P]`` counts, float32 (exact), in the order of ``np.unique(pattern)``; each row sums to N.

    Raises:
        BenchmarkError: If there are fewer than 2 images.
    """
    pattern = np.asarray(pattern)
    if draws < 1 or pattern.ndim != 1:
        raise BenchmarkError(
            "bootstrap", got=f"{draws} draws, pattern {pattern.shape}", expected="at least 1 draw and pattern [N]"
        )
    _enough("", len(pattern))
    _, seen = np.unique(pattern, return_counts=True)
    return rng.multinomial(len(pattern), seen / len(pattern), size=draws).astype(np.float32)


def _counts_of_units(units: int, draws: int, rng: np.random.Generator) -> Floats:
    """``[draws, units]``: drawn one by one and counted, six times as fast as ``rng.multinomial`` over 2,000 units."""
    drawn = rng.integers(units, size=(draws, units), dtype=np.uint32) + units * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * units).astype(np.float32).reshape(draws, units)


def _enough(where: str, units: int) -> None:
    if units < 2:
        raise BenchmarkError(
            f"bootstrap has too few units{where}",
            got=units,
            expected="at least 2",
            do="Test on more units, or join strata.",
        )
