"""Which logit of each image is explained in a training step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Target = Literal["stochastic", "label"]


def choose(kind: Target, logits: Tensor, label: Tensor, rng: torch.Generator) -> Tensor:
    """One class index per image, ``[B]``.

    Args:
        kind: ``stochastic`` explains the highest logit or, with the same probability, a uniformly drawn other one
            (Faster ISNet, arXiv 2401.08409: the penalty then reaches every class at the cost of one map; its code
            throws a coin of 5/11, ours is fair as its text says). ``label`` explains the label's logit.
        logits: ``[B, K]``.
        label: ``[B]``.
        rng: CPU generator of the draws.
    """
    if kind == "label":
        return label
    batch, classes = logits.shape
    highest = logits.detach().argmax(dim=1)
    step = torch.randint(1, classes, (batch,), generator=rng).to(highest.device)
    take_highest = (torch.rand(batch, generator=rng) < 0.5).to(highest.device)
    return torch.where(take_highest, highest, (highest + step) % classes)
