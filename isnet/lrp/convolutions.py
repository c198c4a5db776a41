r"""The products of a convolution, :math:`W^T g`, :math:`W h` and the gradient of ``h . W^T g``, each by a fast road.

The results are those of PyTorch's own kernels, to rounding. Two kinds of layers are slow in these on a CPU:

- Deep ones, with many more output channels than places in the batch's maps. The kernels put the weights into another
  order first, at every call, which costs more than the product: there it is a matrix product of unfolded patches.
- A first one with a stride, walked backward. Its few input channels leave a vector unit mostly idle: there each of the
  ``stride**2`` kinds of pixels is a channel of its own, and one convolution of stride 1 gives all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

aten = torch.ops.aten
MOST_PHASES = 32
"""Input channels times ``stride**2`` up to which the pixels' kinds are channels."""


class Geometry(NamedTuple):
    """What a convolution and its backward share."""

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    transposed: bool
    output_padding: Sequence[int]
    groups: int

    @property
    def window(self) -> dict[str, Any]:
        """For :func:`torch.nn.functional.unfold`."""
        return {"dilation": self.dilation, "padding": self.padding, "stride": self.stride}


def to_input(g: Tensor, w: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    """``W^T g`` in the shape of ``x``, of which nothing else is used."""
    dense = geometry.stride[0] == 1 < w.shape[-1]  # many patches add at every pixel, which takes longer
    if has_few_places(g, w, geometry) and not dense:
        patches = (w.flatten(1).t() @ places(g)).view(-1, g.shape[0], g[0, 0].numel()).transpose(0, 1)
        return functional.fold(patches, x.shape[2:], w.shape[2:], **geometry.window)
    if has_few_channels(g, w, geometry):
        return by_phases(g, w, x, geometry)
    result: Tensor = aten.convolution_backward(g, x, w, None, *geometry, [True, False, False])[0]
    return result


def to_output(h: Tensor, w: Tensor, geometry: Geometry, like: Tensor) -> Tensor:
    """``W h`` in the shape of ``like``."""
    if has_few_places(like, w, geometry):
        found = w.flatten(1) @ patches_of(h, w, geometry)
        return found.view(-1, h.shape[0], like[0, 0].numel()).transpose(0, 1).reshape(like.shape)
    result: Tensor = aten.convolution(h, w, None, *geometry)
    return result


def to_weight(g: Tensor, h: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
    """The gradient of ``h . W^T g`` in ``W``."""
    if has_few_places(g, w, geometry):
        return (places(g) @ patches_of(h, w, geometry).t()).view(w.shape)
    result: Tensor = aten.convolution_backward(g, h, w, None, *geometry, [False, True, False])[1]
    return result


def has_few_places(g: Tensor, w: Tensor, geometry: Geometry) -> bool:
    """Whether the unfolded patches are at most a quarter of the weights."""
    simple = g.device.type == "cpu" and g.dim() == 4 and geometry.groups == 1 and not geometry.transposed
    return simple and 4 * g.shape[0] * g.shape[2] * g.shape[3] <= w.shape[0]


def places(g: Tensor) -> Tensor:
    """``[B, O, H, W]`` as ``[O, B H W]``."""
    return g.transpose(0, 1).flatten(1)


def patches_of(h: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
    """What each output of a convolution reads, ``[C k k, B H W]``."""
    unfolded: Tensor = functional.unfold(h, w.shape[2:], **geometry.window)
    return places(unfolded)


def has_few_channels(g: Tensor, w: Tensor, geometry: Geometry) -> bool:
    """Whether the convolution reads an image's few channels with a stride, in overlapping windows."""
    stride = geometry.stride[0]
    return (
        g.device.type == "cpu"
        and g.dim() == 4
        and geometry.groups == 1
        and not geometry.transposed
        and set(geometry.stride) == {stride}
        and set(geometry.dilation) == {1}
        and 1 < stride < min(w.shape[2:])
        and w.shape[1] * stride**2 <= MOST_PHASES
    )


def by_phases(g: Tensor, w: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    r"""``W^T g`` of a convolution of stride ``s``, ordered by the pixels' places modulo ``s``.

    .. math:: R_{s q + r} = \sum_m W_{s m + r}\, g_{q - m}

    with places counted from the padding's edge; every kind ``r`` is an output channel of a convolution of stride 1.
    """
    stride, (height, width) = geometry.stride[0], x.shape[2:]
    taps = [-(-size // stride) for size in w.shape[2:]]
    whole = functional.pad(w, (0, taps[1] * stride - w.shape[3], 0, taps[0] * stride - w.shape[2])).contiguous()
    split = whole.view(*w.shape[:2], taps[0], stride, taps[1], stride)  # [O, C, m, r, m', r']
    kernel = split.permute(1, 3, 5, 0, 2, 4).flatten(0, 2).flip(2, 3)
    kinds = aten.convolution(g, kernel, None, [1, 1], [tap - 1 for tap in taps], [1, 1], False, [0, 0], 1)
    padded = functional.pixel_shuffle(kinds, stride)
    top, left = geometry.padding
    below, right = top + height - padded.shape[2], left + width - padded.shape[3]
    return functional.pad(padded, (-left, right, -top, below))
