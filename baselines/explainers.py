"""Explainers that come with the methods."""

from __future__ import annotations

from torch import Tensor, nn

from isnet import lrp


def lrp_epsilon(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """LRP-epsilon (0.01) of the logits ``target`` ``[B]`` for images ``[B, C, H, W]``; the ISNets train through it."""
    return lrp.explain(model, image, target)
