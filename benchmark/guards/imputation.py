r"""Pixels that are taken away are filled in from their neighbours, so that the hole shows as little as it can.

.. math:: x_i \sum_j w_{ij} = \sum_j w_{ij} x_j \quad\text{for every removed } i, \qquad
          w_{ij} = \tfrac16 \text{ beside}, \tfrac1{12} \text{ diagonally}

over the neighbours `j` that lie in the image, removed or not. Pixel by pixel and line by line the system is symmetric,
positive definite and banded: a removed pixel is at most a line and a pixel away from those that it is coupled to. All
images of a call share one system, since the holes of two images do not touch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from benchmark.api import Floats
from benchmark.errors import BenchmarkError

BESIDE, DIAGONAL = 1 / 6, 1 / 12
NEIGHBOURS = tuple(
    (dy, dx, DIAGONAL if dy and dx else BESIDE) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
)

NUMBERS = 30_000_000
"""Most numbers in a system's band: bounds memory (0.24 GB), not the result."""


def impute(image: Floats, removed: NDArray[np.bool_]) -> Floats:
    """Images with their removed pixels filled in, without noise.

    Args:
        image: ``[N, C, H, W]``; what stands in the removed pixels does not matter.
        removed: ``[N, H, W]``, true = removed, in all channels together.

    Returns:
        ``[N, C, H, W]`` float64. A filled value lies within the range of the values that stayed.

    Raises:
        BenchmarkError: If shapes do not fit, nothing stays of an image, or what stays is not finite.

    Source:
        Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods", ICML, arXiv
        2202.00449: noisy linear imputation. At the border the weights that there are count as all.
    """
    filled = np.array(image, np.float64)
    if filled.ndim != 4 or removed.shape != (len(filled), *filled.shape[2:]):
        raise BenchmarkError(
            "images and removed pixels",
            got=f"shapes {filled.shape} and {removed.shape}",
            expected="[N, C, H, W] and [N, H, W]",
        )
    if len(bad := np.flatnonzero(removed.all((1, 2)))):
        raise BenchmarkError(
            f"every pixel of image {bad[0]} is removed", do="Keep some: nothing tells what to fill in."
        )
    if len(bad := np.flatnonzero(~(np.isfinite(filled).all(1) | removed).all((1, 2)))):
        raise BenchmarkError(f"a pixel of image {bad[0]} that stays is not finite", do="Look at the image.")
    holes = np.cumsum(removed.sum((1, 2))) * (filled.shape[3] + 2)
    for part in np.split(np.arange(len(filled)), np.flatnonzero(np.diff(holes // NUMBERS)) + 1):
        filled[part] = _solve(filled[part], removed[part])
    return filled


def _solve(image: Floats, removed: NDArray[np.bool_]) -> Floats:
    unknown = np.full(removed.shape, -1)
    unknown[removed] = np.arange(removed.sum())
    n, y, x = np.nonzero(removed)
    if not len(n):
        return image
    height, width = removed.shape[1:]
    total, known = np.zeros(len(n)), np.zeros((len(n), image.shape[1]))
    below: list[tuple[NDArray[np.int64], NDArray[np.int64], float]] = []
    for dy, dx, weight in NEIGHBOURS:
        there = np.flatnonzero((y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width))
        at = n[there], y[there] + dy, x[there] + dx
        other = unknown[at]
        stays = other < 0
        total[there] += weight
        known[there[stays]] += weight * image[at[0][stays], :, at[1][stays], at[2][stays]]
        if (dy, dx) > (0, 0):  # the lower half of a symmetric matrix
            row, column = other[~stays], there[~stays]
            below.append((row - column, column, -weight))
    band = np.zeros((1 + max((int(away.max(initial=0)) for away, _, _ in below), default=0), len(n)))
    band[0] = total
    for away, column, weight in below:
        band[away, column] = weight
    filled = image.copy()
    filled[n, :, y, x] = solveh_banded(band, known, overwrite_ab=True, overwrite_b=True, lower=True, check_finite=False)
    return filled
