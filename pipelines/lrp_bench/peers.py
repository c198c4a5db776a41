"""The other libraries, as far as they run on timm's networks: timed only, their maps are not right there.

zennit knows timm's residual sums and norms as little as the weights of a rule: its epsilon map explodes, and the
gradient of a loss on it reaches no weight through the rules. captum refuses ``Identity`` and ``Flatten``, which get the
epsilon rule here, does not see sums, and cannot be trained through.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

EPS = 1e-2


class ZennitEpsilon:
    """zennit's epsilon rule on all convolutions and linear layers."""

    def __init__(self, network: nn.Module) -> None:
        from zennit.composites import LayerMapComposite, layer_map_base
        from zennit.rules import Epsilon
        from zennit.types import Convolution, Linear

        rules = [(Convolution, Epsilon(EPS)), (Linear, Epsilon(EPS))]
        self.network, self.composite = network, LayerMapComposite([*layer_map_base(), *rules])

    def __call__(self, x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        """Logits and the map, which is cut to finite numbers so that the step can be timed to its end."""
        with self.composite.context(self.network) as network:
            logits = network(x)
            (relevance,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), x, create_graph=create_graph)
        return logits, relevance.nan_to_num(0.0, 0.0, 0.0).clamp(-1, 1)


class CaptumLRP:
    """captum's LRP with its default rules."""

    def __init__(self, network: nn.Module) -> None:
        from captum.attr import LRP
        from captum.attr._utils.lrp_rules import EpsilonRule

        self.lrp, self.rule = LRP(network), EpsilonRule
        self.without_rule = [module for module in network.modules() if isinstance(module, nn.Identity | nn.Flatten)]

    def __call__(self, x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        """No logits (captum keeps its forward to itself), and the map."""
        if create_graph:
            raise NotImplementedError("captum's LRP has no second derivative")
        for module in self.without_rule:  # captum takes all rules away at the end of a call
            module.rule = self.rule()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x, self.lrp.attribute(x, target=target)
