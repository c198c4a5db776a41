"""The masks of a batch, and the point of a path that a loss with masks looks at."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.api import Batch
from benchmark.errors import BenchmarkError
from isnet.path import Kind, towards


def masks_of(batch: Batch) -> Tensor:
    """The masks of a batch, ``[B, 1, H, W]``.

    Raises:
        BenchmarkError: If it has none.
    """
    if batch.mask is None:
        raise BenchmarkError("masks of a batch", expected="masks", do="Set needs.masks on the method.")
    return batch.mask


def point_and_mask(path: Kind, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where a loss is taken, ``[B, C, H, W]``, and the masks there: the foreground is the same all along a path.

    Args:
        path: On the way to which background (:mod:`isnet.path`); ``none`` stays at the images.
        batch: Images with masks.
        rng: CPU generator of the place on the path.

    Raises:
        BenchmarkError: If the batch has no masks.
    """
    mask = masks_of(batch)
    return towards(path, batch.image, mask, rng), mask
