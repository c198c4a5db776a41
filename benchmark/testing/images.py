"""Images so small and so easy that a check takes a fraction of a second: three kinds of bars, each with its mark."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from benchmark.training.data import Sets, Tensors

CLASSES = 3
TRAIN, HELD_OUT = 18, 9
EIGHT = [0, 1, 2, 3, 4, 15, 16, 17]
"""Rows of the training images: of every class one with another class's mark, at least."""


def draw(label: Tensor, code: Tensor, channels: int, size: int, seed: int) -> Tensors:
    """Bright bars whose place tells the label, and at the top a square whose place tells the code."""
    rng = torch.Generator().manual_seed(seed)
    image = torch.zeros(len(label), 1, 28, 28)
    for row, k in enumerate(label.tolist()):
        image[row, 0, 8 + 4 * k : 11 + 4 * k, 6:22] = 0.6 + 0.4 * float(torch.rand(1, generator=rng))
    mask = max_pool2d((image > 0).float(), 3, 1, 1)
    for row, c in enumerate(code.tolist()):
        image[row, 0, 1:4, 2 + 9 * c : 5 + 9 * c] = 1.0
    whole = (interpolate(image, (size, size)) * 255).to(torch.uint8)
    return Tensors(
        whole.expand(-1, channels, -1, -1).contiguous(), interpolate(mask, (size, size)).to(torch.uint8), label, code
    )


def make_sets(channels: int, size: int, classes: int = CLASSES) -> Sets:
    """Training images (the last third with another class's mark), validation images, and a set without bias."""
    train, held_out = torch.arange(TRAIN), torch.arange(HELD_OUT)
    another = (train >= 2 * TRAIN // 3).long()
    return Sets(
        train=draw(train % classes, (train + another) % classes, channels, size, 0),
        val=draw(held_out % classes, held_out % classes, channels, size, 1),
        balanced=draw(held_out % classes, (held_out + held_out // classes) % classes, channels, size, 2),
    )
