r"""Normalisations :math:`y = \gamma (x - \mu)/\sigma + \beta`: :math:`\sigma` is a constant of the map.

Batch normalisation has a constant mean too, and its statistics are constants of the map's derivative as well. Layer and
group normalisation keep their mean, which is linear in the image itself, so that only :math:`\beta` absorbs relevance
(AttnLRP, arXiv 2402.05602, section 3.3, with the mean kept); the derivative of a map goes through their :math:`\sigma`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isnet.lrp.kernels import channel_scale, channel_view, normed_relu
from isnet.lrp.rules.base import BATCH_NORMS, Grads, Settings, Step, rule


def batch_norm_affine(node: Any, settings: Settings, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Batch normalisation as ``y = s * (x - mean) + beta`` with the statistics that the forward used.

    The statistics are constants here, of the batch in training and the running ones in evaluation, as in the
    explicit LRP of the ISNet: PyTorch's own batch-norm backward would send relevance through them and let the
    images of a batch leak into each other's heatmaps.

    Returns:
        ``s`` ``[C]``, differentiable in the layer's weight, and ``mean`` ``[C]``.
    """
    eps = node._saved_eps if hasattr(node, "_saved_eps") else node._saved_epsilon
    if not node._saved_training:
        mean, inverse = node._saved_running_mean, (node._saved_running_var + eps).rsqrt()
    elif settings.bn == "batch_grad":
        x = node._saved_input.to(dtype)
        variance, mean = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
        inverse = (variance + eps).rsqrt()
    else:
        mean, inverse = node._saved_result1, node._saved_result2
    weight = node._saved_weight
    return (inverse if weight is None else inverse * weight).to(dtype), mean.to(dtype)


@rule(*BATCH_NORMS)
def batch_norm(step: Step, settings: Settings) -> Grads:
    if settings.bn == "native" and step.node._saved_training:
        outputs = len(step.node._input_metadata)
        native: Grads = step.node(step.g, *[None] * (outputs - 1))
        return native
    scale, _ = batch_norm_affine(step.node, settings, step.g.dtype)
    if step.relu is None:
        return channel_scale(step.g, scale), None, None
    return normed_relu(step.g, step.relu._saved_result.to(step.g.dtype), scale, settings.eps), None, None


def with_gradient(inverse: Tensor, power: Tensor) -> Tensor:
    """The saved ``1/sigma`` as a function of the input: the forward's own output of it has lost its gradient.

    Args:
        inverse: As the forward used it.
        power: Variance, or mean square, of the input, computed again.
    """
    inverse = inverse.detach()
    return (power + (inverse**-2 - power).detach()).rsqrt()


@rule("NativeLayerNormBackward0")
def layer_norm(step: Step, settings: Settings) -> Grads:
    weight, inverse = step.saved("weight"), step.saved("result2")
    dims = tuple(range(-len(step.node._saved_normalized_shape), 0))
    if torch.is_grad_enabled():
        inverse = with_gradient(inverse, step.saved("input").var(dims, keepdim=True, correction=0))
    g = step.g if weight is None else step.g * weight
    return inverse * (g - g.mean(dims, keepdim=True)), None, None


@rule("NativeGroupNormBackward0")
def group_norm(step: Step, settings: Settings) -> Grads:
    weight, inverse = step.saved("weight"), step.saved("result2")
    if torch.is_grad_enabled():
        inverse = with_gradient(inverse, step.saved("input").reshape(*inverse.shape, -1).var(-1, correction=0))
    g = step.g if weight is None else step.g * channel_view(weight, step.g)
    grouped = g.reshape(*inverse.shape, -1)
    centred = (grouped - grouped.mean(-1, keepdim=True)) * inverse[..., None]
    return centred.reshape(g.shape), None, None


@rule("FusedRmsNormBackward0")
def rms_norm(step: Step, settings: Settings) -> Grads:
    weight, inverse = step.saved("weight"), step.saved("result1")
    if torch.is_grad_enabled():
        dims = tuple(range(-len(step.node._saved_normalized_shape), 0))
        inverse = with_gradient(inverse, step.saved("input").square().mean(dims, keepdim=True))
    return step.g * inverse if weight is None else step.g * weight * inverse, None
