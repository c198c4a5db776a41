r"""How each kind of graph node passes relevance on: the epsilon rule, written for ``g`` with ``R = a * g``.

For a linear map followed by a ReLU, :math:`R_j = a_j \sum_k w_{jk} R_k / (z_k + \epsilon)`. Divided by
:math:`a_j` this is the ordinary backward pass of the linear map, in which the ReLU's step is replaced by
:math:`y/(y+\epsilon)`. So linear nodes keep their own backward, biases and :math:`\epsilon` absorb relevance,
and only the ReLU and the normalisation need a rule (Bach et al. 2015, eq. 56-58; the form is that of LRP-Flex,
arXiv 2401.08409, applied to graph nodes instead of modules).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.kernels import channel_scale, conv_input, epsilon_relu

Grads = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Settings:
    """What the rules need to know: the stabiliser ``eps`` (0 gives gradient x input)."""

    eps: float


@dataclass(frozen=True)
class Step:
    """One node of the walk.

    Attributes:
        node: The autograd node.
        g: What arrived at its output.
        reaches: For each input of the node, whether a path leads on to an explained tensor.
        sizes: For each input of the node, its shape, where autograd recorded one.
    """

    node: Any
    g: Tensor
    reaches: tuple[bool, ...]
    sizes: tuple[torch.Size | None, ...]


Rule = Callable[[Step, Settings], Grads]
RULES: dict[str, Rule] = {}

LINEAR = frozenset(
    """
    AddBackward0 SubBackward0 NegBackward0 MeanBackward0 MeanBackward1 SumBackward0 SumBackward1
    CloneBackward0 ToCopyBackward0 NativeDropoutBackward0 ConstantPadNdBackward0
    ViewBackward0 UnsafeViewBackward0 ReshapeAliasBackward0 AliasBackward0 TBackward0 TransposeBackward0
    PermuteBackward0 ExpandBackward0 SqueezeBackward0 SqueezeBackward1 UnsqueezeBackward0 SliceBackward0
    SelectBackward0 AvgPool2DBackward0 AdaptiveAvgPool2DBackward0 MaxPool2DWithIndicesBackward0
    """.split()  # noqa: SIM905
)
"""Nodes that are linear in the explained input (a max pool is, once its winners are known): native backward."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a rule for the nodes of the given names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@rule("ReluBackward0")
def relu(step: Step, settings: Settings) -> Grads:
    y = step.node._saved_result
    if settings.eps == 0:
        return (step.g * (y > 0),)
    return (epsilon_relu(step.g, y, settings.eps),)


def geometry(node: Any) -> tuple[Any, ...]:
    """The arguments that a convolution and its backward share."""
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    return tuple(getattr(node, f"_saved_{name}") for name in names)


@rule("ConvolutionBackward0")
def convolution(step: Step, settings: Settings) -> Grads:
    node = step.node
    x = node._saved_input.detach()  # gives the shape only
    return conv_input(step.g, node._saved_weight, x, geometry(node)), None, None


@rule("AddmmBackward0")
def linear_with_bias(step: Step, settings: Settings) -> Grads:
    return None, step.g @ step.node._saved_mat2.t() * step.node._saved_alpha, None


@rule("MmBackward0")
def linear_without_bias(step: Step, settings: Settings) -> Grads:
    if all(step.reaches):
        raise ValueError("a product of two explained tensors is not linear and has no rule yet")
    if step.reaches[0]:
        return step.g @ step.node._saved_mat2.t(), None
    return None, step.node._saved_self.t() @ step.g


def batch_norm_affine(node: Any) -> tuple[Tensor, Tensor]:
    """Batch normalisation as ``y = s * (x - mean) + beta`` with the statistics that the forward used.

    The statistics are constants here, of the batch in training and the running ones in evaluation, as in the
    explicit LRP of the ISNet: PyTorch's own batch-norm backward would send relevance through them and let the
    images of a batch leak into each other's heatmaps.

    Returns:
        ``s`` ``[C]``, differentiable in the layer's weight, and ``mean`` ``[C]``.
    """
    if node._saved_training:
        mean, inverse = node._saved_result1, node._saved_result2
    else:
        eps = node._saved_eps if hasattr(node, "_saved_eps") else node._saved_epsilon
        mean, inverse = node._saved_running_mean, (node._saved_running_var + eps).rsqrt()
    weight = node._saved_weight
    return (inverse if weight is None else inverse * weight), mean


@rule("NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0")
def batch_norm(step: Step, settings: Settings) -> Grads:
    scale, _ = batch_norm_affine(step.node)
    return channel_scale(step.g, scale), None, None


@rule("CatBackward0")
def concatenation(step: Step, settings: Settings) -> Grads:
    shapes = [size for size in step.sizes if size is not None]
    if len(shapes) < len(step.sizes):  # a constant among the parts: only the node knows its size
        native: Grads = step.node(step.g)
        return native
    dim = step.node._saved_dim
    dim = dim - 2**64 if dim >= 2**63 else dim  # negative dimensions are stored unsigned
    # One split, whose backward is one cat: the native narrow would write a full-size zero tensor an input.
    return torch.split(step.g, [shape[dim] for shape in shapes], dim)


@rule("MulBackward0")
def product(step: Step, settings: Settings) -> Grads:
    if all(step.reaches):
        raise ValueError("a product of two explained tensors is not linear and has no rule yet")
    node = step.node
    factor = node._saved_other if step.reaches[0] else node._saved_self
    result = step.g * factor
    return tuple(result if reaches else None for reaches in step.reaches)


@rule("DivBackward0")
def quotient(step: Step, settings: Settings) -> Grads:
    if len(step.reaches) > 1 and step.reaches[1]:
        raise ValueError("a division by an explained tensor is not linear and has no rule yet")
    return step.g / step.node._saved_other, None
