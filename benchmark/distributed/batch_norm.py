r"""Batch norm in training by the statistics of all ranks' images, for networks and losses as they are.

.. math::
    y = \gamma \hat x + \beta, \quad \hat x = \frac{x - \mu}{\sigma}, \qquad
    \frac{\partial L}{\partial x} = \frac{\gamma}{\sigma} \Big(g - \tfrac{1}{N} \sum g
    - \hat x\, \tfrac{1}{N} \sum g \odot \hat x\Big), \quad g = \frac{\partial L}{\partial y}

``L`` is the sum of the losses of all ranks, and all sums run over all ranks' images.

torch's ``SyncBatchNorm`` needs CUDA, has no second derivative, and its node is not one that a relevance pass knows.
Here a function mode takes the place of every ``batch_norm`` in training: the forward is torch's own normalisation by
given statistics, so the graph holds the node that explainers look for, with statistics that are constants of a map.
What the loss owes to the statistics is added by a hook on that node, which only autograd's own passes run; with
``create_graph`` the hook is recorded too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode

from benchmark.distributed.ranks import Ranks, summed
from benchmark.errors import BenchmarkError

BATCH_NORM = inspect.signature(batch_norm)
Moments = tuple[Tensor, Tensor, Tensor]
"""Mean and variance of each channel, and the number of values behind them: on the device, which nobody waits for."""


class BatchNormOverRanks(TorchFunctionMode):
    """Batch norm in training, and ``var_mean`` over images, are those of all ranks' images inside."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is batch_norm:
            call = BATCH_NORM.bind(*args, **kwargs)
            call.apply_defaults()
            if call.arguments["training"]:
                return normalised(self.ranks, **call.arguments)
        if func is torch.var_mean and over_images(args, kwargs):
            if args[0].requires_grad:
                raise BenchmarkError("statistics of a batch outside batch norm, with a gradient", do="Use one process.")
            mean, variance, _ = moments(self.ranks, args[0])
            return variance.to(args[0].dtype), mean.to(args[0].dtype)
        return func(*args, **kwargs)


def over_images(args: Any, kwargs: Any) -> bool:
    """Whether ``var_mean(x, dims, correction=0)`` has all dims but the channels: the statistics of a batch norm."""
    return len(args) == 2 and kwargs == {"correction": 0} and list(args[1]) == others(args[0])


def others(x: Tensor) -> list[int]:
    """All dimensions but the channels."""
    return [d for d in range(x.dim()) if d != 1]


def moments(ranks: Ranks, x: Tensor) -> Moments:
    """Those of all ranks' values, without a graph: each rank's own are merged (Chan, Golub and LeVeque 1979)."""
    with torch.no_grad():
        own = x.to(torch.promote_types(x.dtype, torch.float32))
        # Two passes: on a CPU var_mean takes ten times as long.
        mean = own.mean(others(x))
        variance = (own - mean.view(1, -1, *[1] * (x.dim() - 2))).square_().mean(others(x))
        count = torch.full_like(mean[:1], x.numel() // x.shape[1])
        said = ranks.stacked(torch.cat([count, mean, variance]))
        all_counts, means, variances = torch.split(said, [1, len(mean), len(mean)], dim=1)
        share = all_counts / all_counts.sum()
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean).square())).sum(0)
        return mean, variance, all_counts.sum()


def normalised(
    ranks: Ranks,
    input: Tensor,  # noqa: A002  (torch's name)
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """``batch_norm`` in training, of all ranks' images."""
    mean, variance, count = moments(ranks, input)
    with torch.no_grad():
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (count / (count - 1))).to(running_var.dtype), momentum)
    y = batch_norm(input, mean, variance, weight, bias, False, 0.0, eps)
    if y.grad_fn is not None and input.requires_grad:
        y.grad_fn.register_hook(through_statistics(input, weight, mean, variance, count, eps))
    return y


def through_statistics(
    x: Tensor, weight: Tensor | None, mean: Tensor, variance: Tensor, count: Tensor, eps: float
) -> Callable[[Any, Any], Any]:
    """A hook that gives ``dL/dx`` with the part that runs through the statistics."""

    def hook(slopes: tuple[Tensor | None, ...], arrived: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        if slopes[0] is None:
            return slopes
        if torch.is_grad_enabled():
            return recorded_slope(x, weight, arrived[0], count, eps), *slopes[1:]
        inverse = (variance + eps).rsqrt()
        scale = inverse if weight is None else inverse * weight
        dims, shape = others(x), (1, -1, *[1] * (x.dim() - 2))
        of_product, of_g = slopes[1:3]  # this rank's sums, which are the slopes of weight and bias
        if of_product is None or of_g is None:
            g = arrived[0].to(mean.dtype)
            of_g = g.sum(dims)
            of_product = (g * ((x - mean.view(shape)) * inverse.view(shape))).sum(dims)
        of_product, of_g = (summed(torch.cat([of_product, of_g]).to(mean.dtype)) / count).chunk(2)
        slant = -scale * inverse * of_product
        slope = torch.addcmul((-scale * of_g - slant * mean).view(shape), x.to(mean.dtype), slant.view(shape))
        return slope.add_(slopes[0]).to(x.dtype), *slopes[1:]  # slopes[0] is g * scale

    return hook


def recorded_slope(x: Tensor, weight: Tensor | None, g: Tensor, count: Tensor, eps: float) -> Tensor:
    """``dL/dx`` of the formula, whose own derivative runs through the statistics as well."""
    dims, shape = others(x), (1, -1, *[1] * (x.dim() - 2))
    values, g = x.to(count.dtype), g.to(count.dtype)
    mean = summed(values.sum(dims)) / count
    centred = values - mean.view(shape)
    inverse = (summed(centred.square().sum(dims)) / count + eps).rsqrt()
    scale = inverse if weight is None else inverse * weight
    standard = centred * inverse.view(shape)
    of_g, of_product = (summed(torch.cat([g.sum(dims), (g * standard).sum(dims)])) / count).chunk(2)
    slope = scale.view(shape) * (g - of_g.view(shape) - standard * of_product.view(shape))
    return slope.to(x.dtype)
