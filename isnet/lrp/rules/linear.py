"""Convolutions, matrix products with weights, concatenation: linear, with a faster backward than their own."""

from __future__ import annotations

from typing import Any

import torch

from isnet.lrp.kernels import conv_input
from isnet.lrp.rules.base import Grads, Settings, Step, rule


def geometry(node: Any) -> tuple[Any, ...]:
    """The arguments that a convolution and its backward share."""
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    return tuple(getattr(node, f"_saved_{name}") for name in names)


@rule("ConvolutionBackward0")
def convolution(step: Step, settings: Settings) -> Grads:
    if step.reaches[1]:
        raise ValueError("a convolution whose kernel depends on the image has no rule")
    x = step.node._saved_input.detach().to(step.g.dtype)  # gives the shape only
    return conv_input(step.g, step.saved("weight"), x, geometry(step.node)), None, None


@rule("LinearBackward0")
def linear(step: Step, settings: Settings) -> Grads:
    return step.g @ step.saved("weight"), None, None


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
