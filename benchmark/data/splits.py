"""Seeded splits with exact counts that keep the classes' shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Ints
from benchmark.errors import BenchmarkError


def stratified_split(label: Ints, counts: Mapping[str, int], rng: np.random.Generator) -> NDArray[np.str_]:
    """Assigns every image to a split, each split holding each class in its share of what the earlier splits left.

    Where a share is no whole number, the remainders go to the classes with the largest fractions (ties: the
    smaller class index), so the counts are met exactly and a class is less than one image off.

    Args:
        label: ``[N]``.
        counts: Split name to number of images; must sum to ``N``.
        rng: Shuffles the images of each class.

    Returns:
        ``[N]`` names of splits.

    Raises:
        BenchmarkError: If a count is not positive, or they do not sum to the number of images.
    """
    if sum(counts.values()) != len(label) or min(counts.values()) < 1:
        raise BenchmarkError(
            "split counts",
            got=dict(counts),
            expected=f"positive numbers with a sum of {len(label)}, one for every image of the data set",
        )
    pools = {k: rng.permutation(np.flatnonzero(label == k)).tolist() for k in np.unique(label)}
    split = np.empty(len(label), dtype=f"<U{max(map(len, counts))}")
    for name, count in counts.items():
        left = {k: len(pool) for k, pool in pools.items()}
        quota = {k: count * left[k] / sum(left.values()) for k in pools}
        take = {k: int(quota[k]) for k in pools}
        by_remainder = sorted(pools, key=lambda k: (take[k] - quota[k], k))
        for k in by_remainder[: count - sum(take.values())]:
            take[k] += 1
        for k, pool in pools.items():
            split[pool[: take[k]]] = name
            del pool[: take[k]]
    return split
