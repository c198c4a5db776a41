"""The operations of a relevance pass that need a backward of their own: exact, and cheaper than autograd's.

Notation: ``g`` is the quantity that is carried backward; the relevance of a tensor ``a`` is ``R = a * g``.
``h`` is the adjoint of a kernel's result in the second backward.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from isnet.lrp.convolutions import Geometry, to_input, to_output, to_weight

Call = TypeVar("Call", bound=Callable[..., Tensor])


def known_signature(forward: Call) -> Call:
    """Lets :func:`inspect.signature` find what ``Function.apply`` asks of it at every call: half of the call's time."""
    forward.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    return forward


def channel_view(s: Tensor, like: Tensor) -> Tensor:
    """``s`` ``[C]`` shaped to multiply ``like`` ``[B, C, ...]``."""
    return s.view(1, -1, *(1,) * (like.dim() - 2))


def only_g(g: int | None, *others: int | None) -> None:
    """Several maps differ in ``g`` alone: weights and activations are those of one forward.

    Raises:
        ValueError: If another argument is batched.
    """
    if g is None or any(dim is not None for dim in others):
        raise ValueError(f"only g may differ between the maps of one pass, got batch dimensions {(g, *others)}")


def over_maps(h: Tensor, g: Tensor, like: Tensor) -> Tensor:
    """``h * g`` in the shape of ``like``, summed over maps beside each other without a product of their size."""
    if h.dim() == like.dim():
        return h * g
    total = h[0] * g[0]
    for one, other in zip(h[1:], g[1:], strict=True):
        total.addcmul_(one, other)
    return total


class EpsilonReLU(Function):
    r"""ReLU under the epsilon rule: :math:`g\,y/(y+\epsilon)` with ``y`` the ReLU's output.

    ``y`` is not a constant: its derivative :math:`h\,g\,\epsilon/(y+\epsilon)^2` is part of the second backward.
    """

    @staticmethod
    @known_signature
    def forward(g: Tensor, y: Tensor, eps: float) -> Tensor:
        return g * (y / (y + eps))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        g, y, ctx.eps = inputs
        ctx.save_for_backward(g, y)

    @staticmethod
    def backward(ctx: Any, *adjoint: Any) -> tuple[Tensor | None, ...]:
        (h,) = adjoint
        g, y = ctx.saved_tensors
        stabilised = y + ctx.eps
        to_g = h * (y / stabilised) if ctx.needs_input_grad[0] else None
        to_y = None
        if ctx.needs_input_grad[1]:
            to_y = over_maps(h, g, y).mul_(ctx.eps).div_(stabilised).div_(stabilised)
        return to_g, to_y, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, g: Tensor, y: Tensor, eps: float) -> tuple[Tensor, int]:
        """Maps beside each other ``[K, B, ...]`` share one ``y`` ``[B, ...]``."""
        only_g(*in_dims[:2])
        return EpsilonReLU.apply(g.movedim(in_dims[0], 0), y, eps), 0  # type: ignore[no-untyped-call]


def epsilon_relu(g: Tensor, y: Tensor, eps: float) -> Tensor:
    """:class:`EpsilonReLU` of ``g`` and the ReLU's output ``y``, of equal shape."""
    result: Tensor = EpsilonReLU.apply(g, y, eps)  # type: ignore[no-untyped-call]
    return result


class NormedReLU(Function):
    r"""Batch norm and the ReLU behind it, walked at once: :math:`g\,s\,y/(y+\epsilon)`, one factor ``s`` a channel.

    :class:`EpsilonReLU`, then :class:`ChannelScale`, without keeping what is between them; several maps share all but
    two products.
    """

    @staticmethod
    @known_signature
    def forward(g: Tensor, y: Tensor, s: Tensor, eps: float) -> Tensor:
        return g * (y / (y + eps)).mul_(channel_view(s, y))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        g, y, s, ctx.eps = inputs
        ctx.save_for_backward(g, y, s)

    @staticmethod
    def backward(ctx: Any, *adjoint: Any) -> tuple[Tensor | None, ...]:
        (h,) = adjoint
        g, y, s = ctx.saved_tensors
        stabilised, scale = y + ctx.eps, channel_view(s, y)
        to_g = to_y = to_s = None
        if any(ctx.needs_input_grad[1:3]):  # first, and each tensor let go: at the stem all of the pass is still kept
            both = over_maps(h, g, y)
            both = both / stabilised
            to_s = (both * y).sum(dim=[0, *range(2, y.dim())])
            to_y = both / stabilised
            del both
            to_y.mul_(scale * ctx.eps)
        if ctx.needs_input_grad[0]:
            share = y / stabilised
            del stabilised
            to_g = h * share.mul_(scale)
        return to_g, to_y, to_s, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, g: Tensor, y: Tensor, s: Tensor, eps: float) -> tuple[Tensor, int]:
        """As :meth:`EpsilonReLU.vmap`."""
        only_g(*in_dims[:3])
        return NormedReLU.apply(g.movedim(in_dims[0], 0), y, s, eps), 0  # type: ignore[no-untyped-call]


def normed_relu(g: Tensor, y: Tensor, s: Tensor, eps: float) -> Tensor:
    """:class:`NormedReLU` of ``g`` and the ReLU's output ``y`` ``[B, C, ...]``, and ``s`` ``[C]``."""
    result: Tensor = NormedReLU.apply(g, y, s, eps)  # type: ignore[no-untyped-call]
    return result


class ConvInput(Function):
    """A convolution walked backward, ``g -> W^T g``, linear in ``g`` and in ``W``.

    Its backward is again two first-order convolution kernels; PyTorch's own convolution double backward takes
    a slower road (2.25 against 2.86 plain steps for a ResNet18 training step at 64 px on a CPU).
    """

    @staticmethod
    @known_signature
    def forward(g: Tensor, w: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
        return to_input(g, w, x, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        g, w, _, ctx.geometry = inputs
        ctx.save_for_backward(g, w)

    @staticmethod
    def backward(ctx: Any, *adjoint: Any) -> tuple[Tensor | None, ...]:
        (h,) = adjoint
        g, w = ctx.saved_tensors
        to_g = to_output(h, w, ctx.geometry, like=g) if ctx.needs_input_grad[0] else None
        to_w = to_weight(g, h, w, ctx.geometry) if ctx.needs_input_grad[1] else None
        return to_g, to_w, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, g: Tensor, w: Tensor, x: Tensor, geometry: Geometry) -> tuple[Tensor, int]:
        """``K`` maps are one larger batch."""
        only_g(*in_dims[:3])
        maps, images = info.batch_size, x.shape[0]
        shape_only = x.new_empty(1).expand(maps * images, *x.shape[1:])
        result = conv_input(g.movedim(in_dims[0], 0).flatten(0, 1), w, shape_only, geometry)
        return result.view(maps, images, *result.shape[1:]), 0


def conv_input(g: Tensor, w: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    """:class:`ConvInput` of ``g`` ``[B, O, ...]``; of the input ``x`` only the shape is used."""
    result: Tensor = ConvInput.apply(g, w, x, geometry)  # type: ignore[no-untyped-call]
    return result


class ChannelScale(Function):
    """``g * s`` with one factor a channel; the gradient of ``s`` sums over everything else at once."""

    @staticmethod
    @known_signature
    def forward(g: Tensor, s: Tensor) -> Tensor:
        return g * channel_view(s, g)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *adjoint: Any) -> tuple[Tensor | None, ...]:
        (h,) = adjoint
        g, s = ctx.saved_tensors
        to_g = h * channel_view(s, h) if ctx.needs_input_grad[0] else None
        to_s = (h * g).sum(dim=[0, *range(2, g.dim())]) if ctx.needs_input_grad[1] else None
        return to_g, to_s

    @staticmethod
    def vmap(info: Any, in_dims: Any, g: Tensor, s: Tensor) -> tuple[Tensor, int]:
        """``K`` maps are one larger batch."""
        only_g(*in_dims)
        g = g.movedim(in_dims[0], 0)
        return channel_scale(g.flatten(0, 1), s).view(g.shape), 0


def channel_scale(g: Tensor, s: Tensor) -> Tensor:
    """:class:`ChannelScale` of ``g`` ``[B, C, ...]`` and ``s`` ``[C]``."""
    result: Tensor = ChannelScale.apply(g, s)  # type: ignore[no-untyped-call]
    return result
