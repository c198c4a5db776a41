"""What of each image is explained in a training step: the ``target`` that :func:`isnet.lrp.relevance` takes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

OneClass = Literal["stochastic", "label", "highest", "lowest"]
Target = Literal["stochastic", "label", "highest", "lowest", "original", "selective", "all"]


def choose(kind: Target, logits: Tensor, label: Tensor, rng: torch.Generator, selected: OneClass = "lowest") -> Tensor:
    """The target of a batch: class indices, or weights of the logits.

    Args:
        kind: ``stochastic`` explains the highest logit or, with the same probability, a uniformly drawn other one
            (Faster ISNet, arXiv 2401.08409: the penalty then reaches every class at the cost of one map; its code
            throws a coin of 5/11, ours is fair as its text says). ``label``, ``highest`` and ``lowest`` explain
            one logit. ``original`` (arXiv 2202.00232) explains every logit, in as many maps. ``selective`` (arXiv
            2401.08409) explains how the class ``selected`` stands against all others, see :func:`selective`.
            ``all`` explains the sum of the logits.
        logits: ``[B, K]``, ``K`` at least 2.
        label: ``[B]``.
        rng: CPU generator of the draws.
        selected: For ``selective``: which class; the authors' code takes the lowest logit's.

    Returns:
        int64 ``[B]``, for ``original`` int64 ``[B, K]``, for ``selective`` and ``all`` weights ``[B, K]``.

    Raises:
        ValueError: If there is only one logit.
    """
    batch, classes = logits.shape
    if classes < 2:
        raise ValueError(f"a target needs at least 2 logits, got {classes}: give a binary classifier two outputs")
    if kind == "selective":
        return selective(logits, choose(selected, logits, label, rng))
    if kind == "original":
        return torch.arange(classes, device=logits.device).expand(batch, classes)
    if kind == "all":
        return torch.ones_like(logits)
    if kind == "label":
        return label
    highest = logits.detach().argmax(dim=1)
    if kind == "highest":
        return highest
    if kind == "lowest":
        return logits.detach().argmin(dim=1)
    step = torch.randint(1, classes, (batch,), generator=rng).to(highest.device)
    take_highest = (torch.rand(batch, generator=rng) < 0.5).to(highest.device)
    return torch.where(take_highest, highest, (highest + step) % classes)


def selective(logits: Tensor, cls: Tensor) -> Tensor:
    r"""Weights of the logits that explain the log-odds of class ``c``.

    .. math:: \eta_c = \log\frac{p_c}{1 - p_c} = z_c - \log\sum_{k \ne c} e^{z_k}, \qquad
              \frac{\partial \eta_c}{\partial z_c} = 1, \quad
              \frac{\partial \eta_c}{\partial z_k} = -\frac{e^{z_k}}{\sum_{j \ne c} e^{z_j}}

    Args:
        logits: ``[B, K]``; gradients flow through the weights.
        cls: ``[B]`` int64, ``c`` of each image.

    Returns:
        ``[B, K]``: 1 at ``c``, and weights of the other classes that sum to -1, however confident the network is.

    Source:
        Selective ISNet, arXiv 2401.08409. Deviation: its code stabilises as ``log(p + e) - log(1 - p + e)``, whose
        derivative vanishes once ``p`` is far below ``e``, which is so for the lowest logit of any confident
        network: the heatmap then fades and, with it, the loss that should have guarded the background. The closed
        form needs no stabiliser, and neither saturates nor overflows.
    """
    chosen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, cls[:, None], True)
    others = logits.masked_fill(chosen, -torch.inf).softmax(1)
    return chosen.to(logits.dtype) - others


def max_probability(logits: Tensor) -> Tensor:
    r"""Weights of the logits that explain the largest softmax probability.

    .. math:: \frac{\partial p_c}{\partial z_k} = p_c (\delta_{ck} - p_k), \quad c = \arg\max_k z_k

    They vanish as the probability approaches 1: that is this quantity's known weakness, and kept.

    Args:
        logits: ``[B, K]``; gradients flow through the weights.

    Returns:
        ``[B, K]``.

    Source:
        Softmax gradient x input, an ablation of arXiv 2401.08409.
    """
    p = logits.softmax(1)
    top = p.argmax(1, keepdim=True)
    return p.gather(1, top) * (torch.zeros_like(p).scatter_(1, top, 1.0) - p)
