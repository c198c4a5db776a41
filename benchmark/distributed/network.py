"""A network whose passes are shared out, for losses that compare the images of a batch and so see the whole of it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

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
        images = len(next(each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)))
        if images < self.ranks.size:  # each rank passes all of them: the end of the validation images
            return self.wrapped(*args, **kwargs)
        mine, counts = self.ranks.share(images), self.ranks.counts(images)
        args, kwargs = tree_map_only(Tensor, lambda t: t[mine], (args, kwargs))
        return tree_map_only(Tensor, lambda t: gathered(t, counts, self.ranks.rank), self.wrapped(*args, **kwargs))


def undeclared_draws(network: nn.Module) -> str | None:
    """The first module that draws from torch's own generator in training, if there is one."""
    for name, module in network.named_modules():
        dropped = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
        if dropped or getattr(module, "drop_prob", None):
            return str(name)
    return None
