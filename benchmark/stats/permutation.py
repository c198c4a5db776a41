"""Tests by rearrangement: signs of paired differences, and the largest of many differences.

If two methods are alike, each unit's difference could as well have the other sign:
``p = share of the 2^U sign patterns with |Σ ± d_u| >= |Σ d_u|``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from benchmark.api import Floats
from benchmark.errors import BenchmarkError

EXACT_UNITS = 20
"""With at most so many units that differ, all sign patterns are counted: half a million sums."""

ROUNDING = 1e-12
"""Sums nearer than this share of ``Σ |d_u|`` are equal."""

TIED = 1e-9
"""Deviates nearer than this share of them are equal: draws of hits and misses often are as large as the difference."""

CELLS = 1 << 20
"""Signs drawn together: more would only take memory."""


def sign_flip(difference: Floats, unit: NDArray[Any], rng: np.random.Generator, *, draws: int = 10_000) -> float:
    """Two-sided p-value of "the mean paired difference is 0": the images of a unit change their sign together.

    Units without a difference change no sum; of the others all patterns are counted if they are few, else ``draws``
    are drawn and ``p = (1 + as large) / (1 + draws)``.

    Args:
        difference: ``[N]`` method minus reference of each image (mean over seeds); NaN where one side is not defined:
            left out.
        unit: ``[N]`` the unit of each image.
        rng: The stream; the order of images does not matter.
        draws: Number of random patterns, at least 1.

    Returns:
        In (0, 1]; NaN with fewer than 2 units. The smallest exact value is ``2^(1 - U)``.

    Raises:
        BenchmarkError: If shapes disagree, a difference is infinite, or there are no draws.

    Source:
        Fisher 1935, The design of experiments, section 21; Phipson and Smyth 2010 for the correction by 1.
    """
    difference, unit = np.asarray(difference, float), np.asarray(unit)
    if draws < 1 or difference.ndim != 1 or difference.shape != unit.shape or np.isinf(difference).any():
        raise BenchmarkError(
            "sign-flip test",
            got=f"{draws} draws, differences {difference.shape}, unit {unit.shape}",
            expected="at least 1 draw, differences [N] without infinities, unit [N]",
        )
    defined = ~np.isnan(difference)
    names, member = np.unique(unit[defined], return_inverse=True)
    if len(names) < 2:
        return np.nan
    of_units: Floats = np.bincount(member, difference[defined], len(names)).astype(float)
    scale = float(np.abs(of_units).sum())
    observed = abs(float(of_units.sum())) - ROUNDING * scale
    moving = of_units[np.abs(of_units) > ROUNDING * scale]
    if len(moving) <= EXACT_UNITS:
        return float(np.mean(np.abs(_all_sums(moving)) >= observed))
    large = sum(np.count_nonzero(np.abs(sums) >= observed) for sums in _some_sums(moving, draws, rng))
    return (1 + large) / (1 + draws)


def max_t(difference_draws: Floats, differences: Floats, se: Floats, df: Floats | None = None) -> Floats:
    """Adjusted p-values of many methods against one reference: ``p_m = P(max_j |T_j| >= |t_m|)``, single step.

    ``t_m = d_m / se_m``; draw ``b`` shows the largest of many differences when there are none,
    ``T_jb = (D_jb - d_j) / sd(D_j)``, all under the same draw, so that what methods share (the reference, the images)
    is not paid for twice. Less strict than Bonferroni, the more so the more they share. Each side has its own
    standard error: a ``se`` that counts seeds, over draws of units alone, would else make every ``T`` too small.

    Args:
        difference_draws: ``[M, B]`` method minus reference under each of B >= 2 draws, the same for all; NaN where not
            defined.
        differences: ``[M]`` method minus reference.
        se: ``[M]`` their standard errors.
        df: ``[M]`` degrees of freedom of ``t_m``, which then counts as the normal deviate of the same p-value; normal
            by default.

    Returns:
        ``[M]`` in [1 / (B + 1), 1], with the correction by 1; NaN for what is no member of the family: a difference
        or standard error that is not defined or zero, or draws that do not vary.

    Raises:
        BenchmarkError: If shapes disagree.

    Source:
        Westfall and Young 1993, Resampling-based multiple testing, algorithm 2.5; Dunnett 1955 for many against one.
    """
    draws, differences, se = (np.asarray(part, float) for part in (difference_draws, differences, se))
    df = np.full(differences.shape, np.inf) if df is None else np.asarray(df, float)
    if draws.ndim != 2 or draws.shape[1] < 2 or not draws.shape[:1] == differences.shape == se.shape == df.shape:
        raise BenchmarkError(
            "max-T",
            got=f"shapes {draws.shape}, {differences.shape}, {se.shape} and {df.shape}",
            expected="draws [M, B] with B >= 2; differences, standard errors and degrees of freedom [M]",
        )
    adjusted: Floats = np.full(differences.shape, np.nan)
    enough = np.isfinite(draws).sum(1) >= 2
    spread = np.full(differences.shape, np.nan)
    spread[enough] = np.nanstd(draws[enough], axis=1, ddof=1)
    family = np.isfinite(differences) & (se > 0) & (df > 0) & (spread > ROUNDING * np.maximum(1, np.abs(differences)))
    if not family.any():
        return adjusted
    t = np.abs(differences[family]) / se[family]
    deviate = -ndtri(stdtr(df[family], -t))
    largest = np.fmax.reduce(np.abs(draws[family] - differences[family, None]) / spread[family, None], axis=0)
    largest = np.sort(largest[~np.isnan(largest)])
    as_large = len(largest) - np.searchsorted(largest, (1 - TIED) * deviate)
    adjusted[family] = (1 + as_large) / (1 + len(largest))
    return adjusted


def _all_sums(differences: Floats) -> Floats:
    """``Σ ± d_u`` of every pattern whose first sign is +: the others are their mirror image."""
    sums = differences[:1] if len(differences) else np.zeros(1)
    for value in differences[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _some_sums(differences: Floats, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """``Σ ± d_u`` of random patterns, block by block."""
    block = max(1, CELLS // len(differences))
    for start in range(0, draws, block):
        size = (min(block, draws - start), len(differences))
        plus = rng.integers(2, size=size, dtype=np.uint8).astype(float)
        yield 2 * (plus @ differences) - differences.sum()
