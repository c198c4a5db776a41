"""A network in a wrapper (mixed precision, data parallel): what is inside, and where a gradient in a loss may start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def unwrapped(network: nn.Module) -> Any:
    """What :meth:`Method.build` returned, out of its wrapper if it is in one: Fabric and torch call it ``module``."""
    inner = getattr(network, "module", network)
    return inner if isinstance(inner, nn.Module) else network


@contextmanager
def before_wrapper(network: nn.Module) -> Iterator[list[Tensor]]:
    """Keeps what the network returns before its wrapper sees it, for :func:`torch.autograd.grad` in a loss.

    In mixed precision Fabric puts a hook on what a wrapped network returns, which refuses every backward but Fabric's
    own. A gradient in a loss therefore starts here; the loss itself is that of what the wrapper returns.

    Yields:
        One output for each forward that runs inside, in float32 at least, of the same graph.
    """
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        kept.append(full(output))
        return output.view_as(output)  # the wrapper's hook is then on another tensor than the one that is kept

    hook = unwrapped(network).register_forward_hook(keep)
    try:
        yield kept
    finally:
        hook.remove()


def full(value: Tensor) -> Tensor:
    """The values in float32, or as they are where that is not less: products of slopes are too fine for less."""
    return value.to(torch.promote_types(value.dtype, torch.float32))
