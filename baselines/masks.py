"""The option ``path`` of losses with masks, and the point of the path that they look at."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from benchmark.api import Batch
from isnet.path import Kind, towards

PathOption = Annotated[Kind, Field(description="on the way to which background")]


def point_and_mask(path: Kind, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where a loss is taken, ``[B, C, H, W]``, and the masks there: the foreground is the same all along a path.

    Args:
        path: On the way to which background (:mod:`isnet.path`); ``none`` stays at the images.
        batch: Images with masks.
        rng: CPU generator of the place on the path.

    Raises:
        BenchmarkError: If the batch has no masks.
    """
    return towards(path, batch.image, batch.masks, rng), batch.masks
