r"""Dual ISNet: all logits at once in two maps, by LRP-epsilon and by the z+ rule.

.. math:: L_H = \tfrac{1}{2} \sum_{r \in \{\epsilon,\, z^+\}} \big(w_1 L_1(H_r) + w_2 L_2(H_r)\big), \qquad
          H_r = \mathrm{LRP}_r\Big(\sum_k f_k, x\Big)

In the sum of all logits evidence for one class can cancel evidence against another; the z+ map, which follows positive
weights only, shows what cancels. Its map starts from the logits as positive weights and biases make them, as in the
authors' code. Two relevance passes for any number of classes. Bounds: ``[C1, C2]`` of the epsilon map, then of the z+
map, at each place.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines.isnet import ISNet, relevance
from baselines.isnet_maps import Explained, Sample, recorded
from baselines.wrappers import unwrapped
from isnet import lrp
from isnet.lrp.composites import AlphaBeta, Composite
from isnet.targets import choose

ZPLUS = Composite(AlphaBeta(1.0, 0.0), AlphaBeta(1.0, 0.0), own_logits=True)


class ISNetDual(ISNet):
    """Two maps of the sum of all logits."""

    class Settings(ISNet.Settings):
        """Those of the ISNet."""

        target: Literal["all"] = "all"
        bn: Literal["constant", "batch_grad"] = "constant"

    settings: Settings
    source = "Bassi, Decherchi and Cavalli 2024, Faster ISNet (arXiv 2401.08409): Dual ISNet"

    def zplus_rules(self) -> dict[str, Any]:
        """The rules of the second map."""
        return {**self.rules(), "composite": ZPLUS}

    def explain(self, network: nn.Module, sample: Sample, rng: torch.Generator, create_graph: bool) -> Explained:
        logits, hidden = recorded(network, self.hidden_layers(network), sample.x)
        target = choose("all", logits, sample.label, rng)
        epsilon, zplus = (
            relevance(logits, sample.leaf, target, hidden, create_graph, **rules)
            for rules in (self.rules(), self.zplus_rules())
        )
        return Explained(logits, target, {place: (epsilon[place], zplus[place]) for place in epsilon})

    def where_not_finite(self, network: nn.Module, x: Tensor, target: Tensor) -> str | None:
        found = super().where_not_finite(network, x, target)
        return found or lrp.first_non_finite(unwrapped(network), x, target, **self.zplus_rules())
