r"""ISNet: a classifier trained through its own LRP heatmaps, so that background relevance vanishes.

.. math:: L = (1 - P)\,\mathrm{CE}(f(x), y) + P\,(w_1 L_1 + w_2 L_2)

L1 and L2 are the heatmap losses of :mod:`isnet.loss` on the LRP-epsilon map of one logit per image. At run time the
network is an ordinary classifier. The stochastic target is Faster ISNet's; the original explains every logit
(:mod:`baselines.isnet_family`). Options that all members of the family have: :mod:`baselines.isnet_base`.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from baselines.isnet_base import HeatmapTrained
from baselines.isnet_maps import IMAGE, Explained, Sample, recorded
from baselines.wrappers import unwrapped
from isnet import lrp
from isnet.targets import OneClass, Target, choose


class ISNet(HeatmapTrained):
    """Heatmaps of the training images themselves."""

    class Settings(HeatmapTrained.Settings):
        """The relevance rules, and what is explained; see :class:`HeatmapTrained.Settings` for the rest."""

        eps: float = Field(1e-2, ge=0, description="stabiliser of the relevance rule")
        first: Literal["epsilon", "zb", "w2", "flat"] = Field("epsilon", description="rule of the first convolution")
        bn: Literal["constant", "batch_grad", "native"] = Field("constant", description="batch norm's statistics")
        attention: Literal["attnlrp", "cp"] = Field("attnlrp", description="rule of attention")
        target: Target = Field("stochastic", description="what is explained, see isnet.targets")
        selected: OneClass = Field("lowest", description="class of the selective target")

        @model_validator(mode="after")
        def _difference_has_no_box(self) -> Self:
            if self.relevance_of == "difference" and self.first != "epsilon":
                raise ValueError(f"relevance_of 'difference' needs first 'epsilon', got {self.first!r}")
            return self

    settings: Settings
    source = "Bassi et al. 2024, Nat. Commun. 15:291 (arXiv 2202.00232); stochastic target: arXiv 2401.08409"
    trained_through = "lrp_epsilon"

    def rules(self) -> dict[str, Any]:
        """The relevance rules of the call."""
        o = self.settings
        return {"eps": o.eps, "first": o.first, "box": (0.0, 1.0), "bn": o.bn, "attention": o.attention}

    def explain(self, network: nn.Module, sample: Sample, rng: torch.Generator, create_graph: bool) -> Explained:
        o = self.settings
        logits, hidden = recorded(network, self.hidden_layers(network), sample.x)
        target = choose(o.target, logits, sample.label, rng, o.selected)
        maps = relevance(logits, sample.leaf, target, hidden, create_graph, **self.rules())
        return Explained(logits, target, {place: (heatmap,) for place, heatmap in maps.items()})

    def where_not_finite(self, network: nn.Module, x: Tensor, target: Tensor) -> str | None:
        return lrp.first_non_finite(unwrapped(network), x, target, **self.rules())


def relevance(
    logits: Tensor, x: Tensor, target: Tensor, hidden: dict[str, Tensor], create_graph: bool, **rules: Any
) -> dict[str, Tensor]:
    """LRP maps by place: of the image and of the recorded layers."""
    if not hidden:
        return {IMAGE: lrp.relevance(logits, x, target, create_graph=create_graph, **rules)}
    maps = lrp.relevance(logits, x, target, at=list(hidden.values()), create_graph=create_graph, **rules)
    return dict(zip((IMAGE, *hidden), maps, strict=True))
