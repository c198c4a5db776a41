"""The bootstrap over units: how often each image counts in each draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats
from benchmark.errors import BenchmarkError


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
        ``[draws, N]`` counts.

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
    counts = np.empty((draws, len(names)))
    for value in np.unique(stratum):
        rows = np.flatnonzero(stratum == value)
        _enough(f" in stratum {value!s}", len(rows))
        counts[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    return counts[:, member]


def _enough(where: str, units: int) -> None:
    if units < 2:
        raise BenchmarkError(
            f"bootstrap has too few units{where}",
            got=units,
            expected="at least 2",
            do="Test on more units, or join strata.",
        )
