"""One seed, many independent named streams, each computed from its name alone.

A stream is addressed (``seed, "order", epoch``) instead of advanced, so a run that resumes at epoch 7
draws what an undisturbed run draws at epoch 7, and a draw added to one stream moves no other.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit integer that depends on the seed and on every name, in order."""
    text = json.dumps([int(seed), *names])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for the named stream."""
    return np.random.default_rng(derive(seed, *names))


def torch_stream(seed: int, *names: str | int) -> torch.Generator:
    """A CPU torch generator for the named stream (draw on the CPU, then move: same bits anywhere)."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


GOLDEN, FIRST, SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection that spreads every bit."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


class Draws:
    """Random numbers of each of ``N`` images, addressed by seed, image and name: they do not depend on other images.

    A generator an image would do the same, a hundred times slower: here all images draw at once.

    Args:
        seed: Of all draws.
        ids: ``[N]`` the images' names.
    """

    def __init__(self, seed: int, ids: NDArray[np.str_]) -> None:
        key = derive(seed, "draws").to_bytes(8, "big")
        digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in ids.tolist())
        self.key = np.frombuffer(digests, dtype=">u8").astype(np.uint64)

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Any) -> Draws:
        """The draws of the given rows."""
        part = object.__new__(Draws)
        part.key = self.key[rows]
        return part

    def uniform(self, name: str, count: int | None = None) -> NDArray[np.float64]:
        """Numbers in [0, 1): ``[N]``, or ``[N, count]``. The same name gives the same numbers."""
        start = mixed(self.key ^ np.uint64(derive(0, name)))
        steps = np.arange(1, 1 + (count or 1), dtype=np.uint64) * GOLDEN
        numbers = (mixed(start[:, None] + steps) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return numbers[:, 0] if count is None else numbers

    def integers(self, name: str, stop: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Whole numbers in ``[0, stop)``, ``[N]``; ``stop`` at least 1, one number or one an image."""
        return (self.uniform(name) * stop).astype(np.int64)
