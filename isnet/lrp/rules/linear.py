"""Convolutions, matrix products with weights, concatenation: linear, with a faster backward than their own."""

from __future__ import annotations

from typing import Any

import torch

from isnet.lrp.convolutions import Geometry
from isnet.lrp.kernels import conv_input
from isnet.lrp.rules.base import Grads, Settings, Step, rule


def geometry(node: Any) -> Geometry:
    """That of a convolution's node."""
    return Geometry(*(getattr(node, f"_saved_{name}") for name in Geometry._fields))


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


@rule("torch::autograd::CopySlices")
def write_to_view(step: Step, settings: Settings) -> Grads:
    """``view += other`` and ``view[...] = other``: ones tell whether the operation that the node hides copies or adds.

    An operation of the view alone, such as an in-place activation, cannot be told from a mask: it is refused.
    """
    ones = torch.ones(step.node._input_metadata[0].shape, dtype=step.g.dtype, device=step.g.device)
    parts = [part for part in step.node(ones) if part is not None]
    if len(step.node.next_functions) < 2 or not all(bool(((part == 0) | (part == 1)).all()) for part in parts):
        raise ValueError("it changes a view of a tensor: use the operation out of place (inplace=False)")
    native: Grads = step.node(step.g)
    return native
