"""Augmentation: random shifts of an image with its mask, all images of a batch by one gather."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from benchmark.api import Batch
from benchmark.training.device import sent


def draw_shifts(images: int, most: int, rng: torch.Generator) -> Tensor | None:
    """Pixels down and right, ``[B, 2]`` in ``[-most, most]``; ``None``, and no draw, where nothing moves."""
    return torch.randint(-most, most + 1, (images, 2), generator=rng) if most else None


def shifted(batch: Batch, most: int, shifts: Tensor | None) -> Batch:
    """Moves each image, with its mask, by its shift; what enters at the border is black background.

    Args:
        batch: ``[B, C, H, W]`` images, with masks where the method sees them.
        most: The largest shift.
        shifts: Of :func:`draw_shifts`, on the host.
    """
    if shifts is None:
        return batch
    shifts = sent(shifts, batch.image.device)
    image, mask = moved(batch.image, most, shifts), None if batch.mask is None else moved(batch.mask, most, shifts)
    return replace(batch, image=image, mask=mask)


def moved(stack: Tensor, most: int, shifts: Tensor) -> Tensor:
    """``out[b, c, y, x] = stack[b, c, y + shifts[b, 0], x + shifts[b, 1]]``, 0 outside.

    Args:
        stack: ``[B, C, H, W]``.
        most: The largest shift.
        shifts: ``[B, 2]``.
    """
    images, channels, height, width = stack.shape
    padded = torch.nn.functional.pad(stack, (most,) * 4)
    image, channel, row, column = (torch.arange(n, device=stack.device) for n in (images, channels, height, width))
    y, x = most + shifts[:, :1] + row, most + shifts[:, 1:] + column
    return padded[image[:, None, None, None], channel[:, None, None], y[:, None, :, None], x[:, None, None, :]]
