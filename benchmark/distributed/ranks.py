"""The ranks of a training and what they tell each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


@dataclass(frozen=True)
class Ranks:
    """The processes of one training.

    Attributes:
        rank: This one's number.
        size: How many there are.
    """

    rank: int
    size: int

    @classmethod
    def present(cls) -> Ranks:
        """Those of the process group that this process is in; one rank where it is in none."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls(0, 1)

    def share(self, images: int) -> slice:
        """This rank's images of a batch: the parts of all ranks follow each other and differ by one image at most."""
        return slice(self.rank * images // self.size, (self.rank + 1) * images // self.size)

    def counts(self, images: int) -> list[int]:
        """How many images of a batch each rank has."""
        return [(rank + 1) * images // self.size - rank * images // self.size for rank in range(self.size)]

    def told(self, value: Any) -> list[Any]:
        """What each rank says, in the order of ranks."""
        said: list[Any] = [None] * self.size
        dist.all_gather_object(said, value)
        return said

    def stacked(self, value: Tensor) -> Tensor:
        """The values of all ranks ``[R, ...]``, which have one shape; without a graph."""
        parts = [torch.empty_like(value) for _ in range(self.size)]
        dist.all_gather(parts, value)
        return torch.stack(parts)

    def sum_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replaces each gradient by its sum over the ranks: one message of all of them."""
        if not weights:
            return
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        dist.all_reduce(flat)
        parts = torch.split(flat, [grad.numel() for grad in grads])
        for weight, part in zip(weights, parts, strict=True):
            if weight.grad is not None:
                weight.grad.copy_(part.view_as(weight.grad))


class Gathered(Function):
    """The rows of all ranks, from each rank's own; every rank computes the same of them, so a gradient stays at home.

    No sum over ranks in the backward: the loss of what is gathered is one loss, which each rank has in full.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, counts: Sequence[int], rank: int) -> Tensor:
        start = sum(counts[:rank])
        ctx.mine = slice(start, start + counts[rank])
        padded = own.new_zeros(max(counts), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        return slopes[0][ctx.mine], None, None


class Summed(Function):
    """The sum of all ranks' values, of which each rank has a loss of its own: so its gradient is a sum as well."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return Summed.apply(slopes[0])  # type: ignore[no-untyped-call]


def summed(own: Tensor) -> Tensor:
    """:class:`Summed` of a rank's values."""
    total: Tensor = Summed.apply(own)  # type: ignore[no-untyped-call]
    return total


def gathered(own: Tensor, counts: Sequence[int], rank: int) -> Tensor:
    """:class:`Gathered` of a rank's rows."""
    rows: Tensor = Gathered.apply(own, counts, rank)  # type: ignore[no-untyped-call]
    return rows


def all_equal(values: Iterable[Any]) -> bool:
    """Whether all values are one."""
    first, *rest = values
    return all(value == first for value in rest)
