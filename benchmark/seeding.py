"""One seed, many independent named streams, each computed from its name alone.

A stream is addressed (``seed, "order", epoch``) instead of advanced, so a run that resumes at epoch 7
draws what an undisturbed run draws at epoch 7, and a draw added to one stream moves no other.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

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
