r"""The authors' training steps, written anew from their formulas: what the harness's own loop is held against.

- ``isnet``: :math:`L = (1 - P)\,\mathrm{CE} + P\,(L_1 + L_2)` on the LRP-Flex map of one logit, by hooks on the ReLUs
  (:mod:`pipelines.lrp_bench.flex_hooks`), without the rule for the first layer, which costs them more;
- ``isnet_original``: the same on the maps of all logits, one backward pass each, as in their loop over classes;
- ``rrr``: :math:`L = \mathrm{CE} + \lambda \sum ((1 - M)\, \partial \overline{\sum_k \log p_k} / \partial x)^2`.

Source: arXiv 2202.00232, 2401.08409 (released code, commit 059f255).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch
from pipelines.lrp_bench.cases import HEATMAP_LOSS
from pipelines.lrp_bench.flex_hooks import FlexHooks
from pipelines.train_bench.bare import Loss

SHARE, PENALTY = 0.7, 1e-3
"""P and lambda: they cost nothing."""


class EveryLogit(FlexHooks):
    """The maps of all logits ``[B, K, C, H, W]``, a backward pass each, with the graphs of all of them kept."""

    def __call__(self, x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        logits = self.network(x)
        self.explaining = True
        try:
            slopes = [torch.autograd.grad(logit.sum(), x, create_graph=create_graph)[0] for logit in logits.unbind(1)]
        finally:
            self.explaining = False
            self.outputs.clear()
        return logits, torch.stack([x * slope for slope in slopes], 1)


def through_heatmaps(kind: type[FlexHooks]) -> Callable[[nn.Module], Loss]:
    """The ISNet loss on maps by hooks."""

    def on(network: nn.Module) -> Loss:
        explain, heatmap_loss = kind(network), HEATMAP_LOSS.load()

        def loss(_: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
            logits, maps = explain(batch.image.detach().requires_grad_(), batch.label, True)
            l1, l2 = heatmap_loss(maps, batch.masks)
            total: Tensor = (1 - SHARE) * cross_entropy(logits, batch.label) + SHARE * (l1 + l2)
            return total

        return loss

    return on


def right_reasons(network: nn.Module) -> Loss:
    """RRR as in their comparison."""

    def loss(_: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
        x = batch.image.detach().requires_grad_()
        logits = network(x)
        (slope,) = torch.autograd.grad(logits.log_softmax(1).sum(1).mean(), x, create_graph=True)
        return cross_entropy(logits, batch.label) + PENALTY * ((1 - batch.masks) * slope).square().sum()

    return loss


PEERS: dict[str, Callable[[nn.Module], Loss]] = {
    "isnet": through_heatmaps(FlexHooks),
    "isnet_original": through_heatmaps(EveryLogit),
    "rrr": right_reasons,
}
"""Method to the authors' loss on a network."""


CITED = {
    ("densenet121", 64, 8): {
        "erm": 1.0,
        "isnet": 2.5,
        "isnet_original": 19.8,
        "isnet_gradinput": 18.2,
        "isnet_softmax_gradinput": 2.5,
        "isnet_dual": 15.6,
        "rrr": 2.9,
        "gain": 2.9,
    },
    ("resnet18", 28, 32): {"erm": 1.0, "isnet": 2.6, "isnet_original": 17.0},
}
"""Backbone, side and batch to method and cost: the released code's own training step in plain steps, 10 classes.

One CPU thread, PyTorch 2.13.0, CPU seconds, mean of two steps after a first one; +-10 %. ``isnet`` is LRP-Flex with one
map (their LRP block costs 8.5), ``isnet_original`` LRP-Flex with all (LRP block: 31.5), ``isnet_dual`` the LRP block.
"""
