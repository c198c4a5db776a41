r"""The heatmap loss of the ISNet: no relevance on the background (L1), and enough of it on the foreground (L2).

.. math:: L_H = w_1 L_1 + w_2 L_2

Notation of the papers (arXiv 2202.00232, 2401.08409): heatmap ``H``, mask ``M`` (1 = foreground), pooling decay ``d``,
activation offset ``E``, foreground bounds ``C1`` and ``C2``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

TINY = 1e-10


class HeatmapLoss(NamedTuple):
    """Both terms, means over the batch."""

    background: Tensor
    foreground: Tensor


def check_mask(heatmap: Tensor, mask: Tensor) -> None:
    """Refuses masks that do not fit.

    Raises:
        ValueError: If the mask has another size, or values other than 0 and 1.
    """
    batch, _, *size = heatmap.shape
    if mask.shape != (batch, 1, *size):
        raise ValueError(f"mask must have shape {(batch, 1, *size)} for this heatmap, got {tuple(mask.shape)}")
    if not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError("mask must hold 0 (background) and 1 (foreground) only: threshold it first")


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
    ranked = values.sort(dim=-1, descending=True).values
    rank = torch.arange(values.shape[-1], device=values.device, dtype=values.dtype)
    weight = torch.as_tensor(decay, dtype=values.dtype, device=values.device) ** rank
    return (ranked * weight).sum(-1) / weight.sum()


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


def foreground_loss(heatmap: Tensor, mask: Tensor, lower: float = 1.0, upper: float = 25.0) -> Tensor:
    r"""L2: keeps the foreground's total relevance between ``C1`` and ``C2``: the map can neither die nor explode.

    .. math:: S = \sum |H| M, \quad L_2 = \big(\min(\tfrac{S}{C_1}, 1) - 1\big)^2 +
              \big(\max(\tfrac{S}{C_1}, \tfrac{C_2}{C_1}) - \tfrac{C_2}{C_1}\big)^2

    Args:
        heatmap: ``[B, C, H, W]``, signed.
        mask: ``[B, 1, H, W]`` in {0, 1}.
        lower: ``C1`` > 0.
        upper: ``C2`` > ``C1``.

    Returns:
        ``[B]``; 0 inside the bounds, 1 for a map without foreground relevance.
    """
    total = (heatmap.abs() * mask).sum(dim=(1, 2, 3)) / lower
    ratio = upper / lower
    return (total.clamp(max=1.0) - 1.0).square() + (total.clamp(min=ratio) - ratio).square()


def heatmap_loss(
    heatmap: Tensor,
    mask: Tensor,
    *,
    decay: float = 0.9,
    offset: float = 1.0,
    lower: float = 1.0,
    upper: float = 25.0,
) -> HeatmapLoss:
    """Both terms for heatmaps ``[B, C, H, W]`` and masks ``[B, 1, H, W]``, as batch means.

    Raises:
        ValueError: If the mask does not fit, or the heatmap holds NaN or infinity (never hidden: a heatmap that
            is not finite has a cause upstream).
    """
    check_mask(heatmap, mask)
    if not bool(torch.isfinite(heatmap).all()):
        raise ValueError("the heatmap holds NaN or infinity: lower the learning rate or clip the gradient norm")
    return HeatmapLoss(
        background_loss(heatmap, mask, decay, offset).mean(),
        foreground_loss(heatmap, mask, lower, upper).mean(),
    )
