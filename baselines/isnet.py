r"""ISNet: a classifier trained through its own LRP heatmaps, so that background relevance vanishes.

.. math:: L = (1 - P)\,\mathrm{CE}(f(x), y) + P\,(w_1 L_1 + w_2 L_2)

L1 and L2 are the heatmap losses of :mod:`isnet.loss` on the LRP-epsilon map of one logit per image. At run time the
network is an ordinary classifier. The stochastic target is Faster ISNet's; the original explains every logit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Method, Needs, Options
from isnet import lrp
from isnet.loss import heatmap_loss
from isnet.targets import choose


class ISNet(Method):
    """Heatmaps of the training images themselves."""

    class Settings(Options):
        """Symbols of the papers in brackets; defaults are those of the Faster ISNet's MNIST experiment."""

        heatmap_share: float = Field(0.7, ge=0, lt=1, description="[P] weight of the heatmap loss")
        background_weight: float = Field(1.0, ge=0, description="[w1]")
        foreground_weight: float = Field(1.0, ge=0, description="[w2]")
        decay: float = Field(0.9, ge=0, le=1, description="[d] of the rank pooling")
        offset: float = Field(1.0, gt=0, description="[E]")
        lower: float = Field(1.0, gt=0, description="[C1]")
        upper: float = Field(25.0, gt=0, description="[C2]")
        eps: float = Field(1e-2, ge=0, description="stabiliser of the relevance rule")
        first: Literal["epsilon", "zb"] = "epsilon"
        target: Literal["stochastic", "label"] = "stochastic"

    settings: Settings
    needs = Needs(masks=True)
    source = "Bassi et al. 2024, Nat. Commun. 15:291 (arXiv 2202.00232); stochastic target: arXiv 2401.08409"
    trained_through = "lrp_epsilon"

    def explained_input(self, image: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        """The points at which the network is run and explained: the images."""
        return image

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        if batch.mask is None:
            raise ValueError("the ISNet needs the masks of its training images")
        o = self.settings
        with torch.enable_grad():  # validation runs without gradients, but a heatmap is one
            x = self.explained_input(batch.image, batch.mask, rng).detach().requires_grad_()
            logits = network(x)
            target = choose(o.target, logits, batch.label, rng)
            heatmap = lrp.relevance(
                logits, x, target, eps=o.eps, first=o.first, box=(0.0, 1.0), create_graph=network.training
            )
        l1, l2 = heatmap_loss(heatmap, batch.mask, decay=o.decay, offset=o.offset, lower=o.lower, upper=o.upper)
        classification = cross_entropy(logits, batch.label)
        on_heatmap = o.background_weight * l1 + o.foreground_weight * l2
        return {
            "loss": (1 - o.heatmap_share) * classification + o.heatmap_share * on_heatmap,
            "classification_loss": classification,
            "heatmap_loss": on_heatmap,
            "background_loss": l1,
            "foreground_loss": l2,
        }
