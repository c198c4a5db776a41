"""A network whose passes are shared out, for losses that compare the images of a batch and so see the whole of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from benchmark.distributed.ranks import Ranks, gathered


class SharedOut(nn.Module):
    """The network of a whole batch: each rank passes its images, and all get what comes out for all of them.

    Args:
        wrapped: The network in its wrapper of precision.
        plain: The network itself; a loss that asks for ``module`` gets it.
        ranks: The processes.
    """

    def __init__(self, wrapped: nn.Module, plain: nn.Module, ranks: Ranks) -> None:
        super().__init__()
        self.wrapped, self.ranks = wrapped, ranks
        vars(self)["plain"] = plain  # not a part of its own: the wrapper holds it

    @property
    def module(self) -> nn.Module:
        inner: nn.Module = vars(self)["plain"]
        return inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        images = len(next(tensors([*args, *kwargs.values()])))
        if images < self.ranks.size:  # each rank passes all of them: the end of the validation images
            return self.wrapped(*args, **kwargs)
        mine, counts = self.ranks.share(images), self.ranks.counts(images)
        own = self.wrapped(
            *(mapped(each, lambda t: t[mine]) for each in args),
            **{name: mapped(each, lambda t: t[mine]) for name, each in kwargs.items()},
        )
        return mapped(own, lambda t: gathered(t, counts, self.ranks.rank))


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors(each)


def mapped(value: Any, function: Any) -> Any:
    """The same lists and tuples with ``function`` of each tensor."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(each, function) for each in value))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(each, function) for each in value)
    return value


def undeclared_draws(network: nn.Module) -> str | None:
    """The first module that draws from torch's own generator in training, if there is one."""
    for name, module in network.named_modules():
        dropped = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
        if dropped or getattr(module, "drop_prob", None):
            return str(name)
    return None
