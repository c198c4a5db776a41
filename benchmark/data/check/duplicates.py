"""The same picture twice: equal files by SHA-256, and pictures that were scaled or compressed anew.

Two pictures are near duplicates if their 64-bit perceptual hashes differ in few bits *and* their 32 x 32 cells agree:
X-rays of two patients can share a hash. All pairs are compared, in blocks: 50,000 images are 1.25 billion XORs, some
seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Ints
from benchmark.data.check.look import CELLS, Look

HAMMING = 8
"""Most bits of 64 in which the hashes of near duplicates differ."""
CORRELATION = 0.99
"""Least correlation of their cells."""
BLOCK = 256
MOST = 200_000
"""Candidates that are looked at: a set of blank pictures would have billions."""

Pair = tuple[int, int]


def equal_files(look: Look) -> list[Pair]:
    """Pairs of rows whose files have the same bytes; of each group, the first with every other."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(look.sha256):
        if digest:
            rows[digest].append(row)
    return [(group[0], other) for group in rows.values() for other in group[1:]]


def near_duplicates(look: Look, home: Sequence[str], label: Sequence[str]) -> list[Pair]:
    """Pairs of rows of different homes or classes that show the same picture, in files of other bytes.

    Args:
        look: The files.
        home: ``[N]`` what must not be shared: the split, or the unit where no split is given.
        label: ``[N]``.
    """
    rows = np.flatnonzero(look.readable())
    if len(rows) < 2:
        return []
    kind = np.unique([f"{home[row]}\n{label[row]}" for row in rows.tolist()], return_inverse=True)[1]
    found: list[Pair] = []
    for block in close_pairs(look.phash[rows], kind):
        pairs = rows[block]
        alike = pairs[correlated(look, pairs)].tolist()
        found += [(a, b) for a, b in alike if look.sha256[a] != look.sha256[b]]
    return found


def close_pairs(phash: NDArray[np.uint64], kind: NDArray[np.integer]) -> list[Ints]:
    """Pairs ``[n, 2]`` of different kinds whose hashes differ in at most :data:`HAMMING` bits."""
    found, count = [], 0
    for start in range(0, len(phash), BLOCK):
        stop = min(start + BLOCK, len(phash))
        distance = np.bitwise_count(phash[start:stop, None] ^ phash[None, start:])
        a, b = np.nonzero((distance <= HAMMING) & (kind[start:stop, None] != kind[None, start:]))
        pairs = np.stack([a, b], axis=1)[b > a] + start
        found.append(pairs[: max(0, MOST - count)].astype(np.int64))
        count += len(pairs)
    return found


def correlated(look: Look, pairs: Ints) -> NDArray[np.bool_]:
    """Whether the cells of each pair correlate; two blank pictures do."""
    a, b = (look.cells[pairs[:, side]].reshape(len(pairs), CELLS * CELLS * 3).astype(np.float32) for side in (0, 1))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray((a * b).sum(1) >= CORRELATION * norms)
