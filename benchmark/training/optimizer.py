"""The update rule of a phase and its schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from benchmark.config import Optimizer


def optimizer_of(
    weights: Sequence[nn.Parameter], o: Optimizer, schedule: str, steps: int, factor: float = 1.0
) -> tuple[Any, Any]:
    """The optimizer and its schedule over all steps of a phase.

    Args:
        weights: What is trained; on CUDA one fused kernel updates them.
        o: The configured update rule.
        schedule: ``one_cycle`` or ``constant``.
        steps: Of the whole phase.
        factor: Of the learning rate.
    """
    lr = o.lr * factor
    fused = True if weights and all(weight.is_cuda for weight in weights) else None
    if o.name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            weights, lr=lr, momentum=o.momentum, weight_decay=o.weight_decay, fused=fused
        )
    else:
        optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=o.weight_decay, fused=fused)
    schedulers = torch.optim.lr_scheduler
    if schedule == "one_cycle":
        return optimizer, schedulers.OneCycleLR(optimizer, lr, total_steps=steps)
    return optimizer, schedulers.ConstantLR(optimizer, factor=1.0)
