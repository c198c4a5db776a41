"""Means of an epoch's loss terms, read from the device now and then: a read waits for all that the device has to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Row = dict[str, float]

EVERY = 50
"""Steps between two reads from a CUDA device."""


def reads_every(device: torch.device) -> int:
    """Steps between two reads: on a CPU each step, since nothing waits there."""
    return EVERY if device.type == "cuda" else 1


class Means:
    """Running means of named scalars, weighted by the number of images; summed on the host in double precision.

    The sums are those of single reads, bit by bit, however many steps are read at once.

    Args:
        check: Told of every step's terms and its number when they are read; it raises where they are no numbers.
        every: Steps that are read at once.

    Attributes:
        totals: Of each term, weighted by images, of the steps that are read.
        count: Images of these steps.
    """

    def __init__(self, check: Callable[[Row, int], None], every: int = 1) -> None:
        self.check, self.every = check, every
        self.totals: Row = {}
        self.count = self.step = 0
        self.waiting: list[tuple[dict[str, Tensor], int]] = []

    def add(self, terms: Mapping[str, Tensor], images: int) -> None:
        """One step more."""
        self.waiting.append(({name: value.detach() for name, value in terms.items()}, images))
        if len(self.waiting) >= self.every:
            self.read()

    def read(self) -> None:
        """Takes in all steps that wait: one copy from the device, then sums in the order of the steps."""
        waiting, self.waiting = self.waiting, []
        for row, images in zip(numbers([terms for terms, _ in waiting]), (n for _, n in waiting), strict=True):
            self.check(row, self.step)
            self.step += 1
            self.count += images
            for name, value in row.items():
                self.totals[name] = self.totals.get(name, 0.0) + value * images

    def named(self, prefix: str) -> Row:
        """The means, under ``<prefix>_<term>``."""
        self.read()
        return {f"{prefix}_{name}": total / self.count for name, total in self.totals.items()}


def numbers(steps: list[dict[str, Tensor]]) -> list[Row]:
    """The terms of all steps as numbers, by one copy from the device where there is more than one step."""
    if len(steps) <= 1:
        return [{name: float(value.item()) for name, value in terms.items()} for terms in steps]
    scalars = [value.reshape(()).double() for terms in steps for value in terms.values()]
    read = iter(torch.stack([value.to(scalars[0].device) for value in scalars]).tolist())
    return [{name: next(read) for name in terms} for terms in steps]
