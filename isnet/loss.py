r"""The heatmap loss of the ISNet: no relevance on the background (L1), and enough of it on the foreground (L2).

.. math:: L_H = w_1 L_1 + w_2 L_2

Notation of the papers (arXiv 2202.00232, 2401.08409): heatmap ``H``, mask ``M`` (1 = foreground), pooling decay ``d``,
activation offset ``E``, foreground bounds ``C1`` and ``C2``.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

TINY = 1e-10

Upper = Literal["l2", "hybrid", "l1"]
"""The penalty above ``C2``, see :func:`foreground_loss`."""


class HeatmapLoss(NamedTuple):
    """Both terms, means over the batch and over the maps of an image."""

    background: Tensor
    foreground: Tensor


def check_mask(heatmap: Tensor, mask: Tensor) -> None:
    """Refuses masks that do not fit.

    Args:
        heatmap: ``[B, C, H, W]`` or ``[B, K, C, H, W]``.
        mask: ``[B, 1, H, W]``.

    Raises:
        ValueError: If the mask has another size, values other than 0 and 1, or no foreground in one of its images.
    """
    batch, *_ = heatmap.shape
    size = heatmap.shape[-2:]
    if mask.shape != (batch, 1, *size):
        raise ValueError(f"mask must have shape {(batch, 1, *size)} for this heatmap, got {tuple(mask.shape)}")
    if not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError("mask must hold 0 (background) and 1 (foreground) only: threshold it first")
    empty = (mask.flatten(1).amax(1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"mask of image {empty[0]} of the batch has no foreground, so its background relevance has no scale "
            f"({len(empty)} such of {batch}): leave these images out, or mark what may count as evidence in them"
        )


def shrink(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Brings a mask to the size of a hidden layer: a cell that holds any foreground is foreground.

    Args:
        mask: ``[B, 1, H, W]`` in {0, 1}.
        size: ``h <= H`` and ``w <= W``.

    Returns:
        ``[B, 1, h, w]`` in {0, 1}.

    Raises:
        ValueError: If the mask is smaller than that.

    Example:
        >>> shrink(torch.tensor([[[[0.0, 1.0, 0.0, 0.0]]]]), (1, 2))
        tensor([[[[1., 0.]]]])

    Source:
        The ISNet authors' code: adaptive average pooling, everything but 0 becomes 1.
    """
    if mask.shape[-2] < size[0] or mask.shape[-1] < size[1]:
        raise ValueError(f"mask of {tuple(mask.shape[-2:])} px is smaller than the layer's {tuple(size)}")
    return adaptive_max_pool2d(mask, size)


def gwrp(values: Tensor, decay: float) -> Tensor:
    r"""Global weighted rank pooling, :math:`\sum_i d^i v_{(i)} / \sum_i d^i` with the largest value first.

    Args:
        values: ``[..., N]``.
        decay: ``d`` in [0, 1]: 1 is the mean, 0 the maximum, 0.9 in effect the ten largest.

    Returns:
        ``[...]``.

    Example:
        >>> gwrp(torch.tensor([1.0, 4.0, 2.0]), 0.5)  # (4 + 2/2 + 1/4) / (1 + 1/2 + 1/4)
        tensor(3.)

    Source:
        Kolesnikov and Lampert 2016, "Seed, expand and constrain", eq. 4.
    """
    ranked = values.topk(weighed(values, decay), dim=-1).values
    rank = torch.arange(ranked.shape[-1], device=values.device, dtype=values.dtype)
    weight = torch.as_tensor(decay, dtype=values.dtype, device=values.device) ** rank
    return (ranked * weight).sum(-1) / weight.sum()


def weighed(values: Tensor, decay: float) -> int:
    """How many of the largest values have a weight: ``decay**rank`` is soon 0 in floating point.

    For 0.9 that is at rank 980 in float32. Only these are sorted, which costs a tenth where there are 50 thousand.
    """
    size = values.shape[-1]
    if not 0 < decay < 1:
        return size if decay else 1
    kind = torch.finfo(values.dtype)
    return min(size, 2 + int(math.log(kind.smallest_normal * kind.eps) / math.log(decay)))


def background_loss(heatmap: Tensor, mask: Tensor, decay: float = 0.9, offset: float = 1.0) -> Tensor:
    r"""L1: background relevance, measured in units of the mean foreground relevance, so that scale is no way out.

    .. math:: D = \frac{\sum |H| M}{\sum M}, \quad g_c = \mathrm{GWRP}_d\big(\tfrac{|H_c|}{D}(1-M)\big), \quad
              L_1 = \operatorname{mean}_c \log(1 + g_c/E)

    ``log(1 + g/E)`` is the papers' ``-log(1 - g/(g + E))`` without their clamp near 1, so that an image whose
    foreground has lost all relevance still has a gradient.

    Args:
        heatmap: ``H`` ``[B, C, H, W]``, signed.
        mask: ``M`` ``[B, 1, H, W]`` in {0, 1}.
        decay: ``d`` of the pooling, over all pixels of a channel (foreground pixels count as zeros).
        offset: ``E`` > 0.

    Returns:
        ``[B]``, at least 0.
    """
    magnitude = heatmap.abs()
    pixels = mask.sum(dim=(1, 2, 3)) * heatmap.shape[1]
    scale = (magnitude * mask).sum(dim=(1, 2, 3)) / (pixels + TINY)
    relative = magnitude / (scale.view(-1, 1, 1, 1) + TINY) * (1 - mask)
    return torch.log1p(gwrp(relative.flatten(2), decay) / offset).mean(dim=1)


def foreground_loss(
    heatmap: Tensor, mask: Tensor, lower: float = 1.0, upper: float = 25.0, upper_term: Upper = "l2"
) -> Tensor:
    r"""L2: keeps the foreground's total relevance between ``C1`` and ``C2``: the map can neither die nor explode.

    .. math:: S = \sum |H| M, \quad L_2 = \big(\min(\tfrac{S}{C_1}, 1) - 1\big)^2 + u(S), \quad
              u(S) = \big(\max(\tfrac{S}{C_1}, \tfrac{C_2}{C_1}) - \tfrac{C_2}{C_1}\big)^2

    Above ``C2``, other terms ``u`` keep a map that has exploded from drowning everything else:

    - ``hybrid`` (Faster ISNet): ``u`` as above up to ``S = C1 + C2``, where it is 1; from there
      ``|S - (C1 + C2)| + 1``.
    - ``l1``: ``|S - C2|``.

    Args:
        heatmap: ``[B, C, H, W]``, signed.
        mask: ``[B, 1, H, W]`` in {0, 1}.
        lower: ``C1`` > 0.
        upper: ``C2`` > ``C1``.
        upper_term: ``l2`` (the formula), ``hybrid`` or ``l1``.

    Returns:
        ``[B]``; 0 inside the bounds, 1 for a map without foreground relevance.
    """
    total = (heatmap.abs() * mask).sum(dim=(1, 2, 3)) / lower
    ratio = upper / lower
    above = total.clamp(min=ratio) - ratio  # (S - C2)+ / C1
    below = (total.clamp(max=1.0) - 1.0).square()
    if upper_term == "l2":
        return below + above.square()
    if upper_term == "l1":
        return below + above * lower
    return below + torch.where(above <= 1, above.square(), (above - 1) * lower + 1)


def heatmap_loss(
    heatmap: Tensor,
    mask: Tensor,
    *,
    decay: float = 0.9,
    offset: float = 1.0,
    lower: float = 1.0,
    upper: float = 25.0,
    upper_term: Upper = "l2",
) -> HeatmapLoss:
    """Both terms, as means over the batch and over the maps of each image.

    Args:
        heatmap: ``[B, C, H, W]``, or ``[B, K, C, H, W]`` for ``K`` maps an image.
        mask: ``[B, 1, H, W]`` in {0, 1}, with foreground in every image.
        decay: ``d``.
        offset: ``E``.
        lower: ``C1``.
        upper: ``C2``.
        upper_term: The penalty above ``C2``.

    Raises:
        ValueError: If the mask does not fit, or the heatmap holds NaN or infinity (never hidden: a heatmap that
            is not finite has a cause upstream).
    """
    check_mask(heatmap, mask)
    if not bool(torch.isfinite(heatmap).all()):
        raise ValueError("the heatmap holds NaN or infinity: lower the learning rate or clip the gradient norm")
    if heatmap.dim() == 5:
        mask = mask.repeat_interleave(heatmap.shape[1], dim=0)
        heatmap = heatmap.flatten(0, 1)
    return HeatmapLoss(
        background_loss(heatmap, mask, decay, offset).mean(),
        foreground_loss(heatmap, mask, lower, upper, upper_term).mean(),
    )
