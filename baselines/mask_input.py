r"""Masked input: an oracle that never sees a background, in training or at run time.

.. math:: L = \mathrm{CE}(f(M \odot x), y)

A classifier behind a perfect segmentation. It bounds what the foreground alone can give, and it needs a mask of
every image it ever meets, so it is no method to deploy. Its heatmaps are zero in the background by design.
``Only-FG`` of Xiao et al. 2021 is such a set of images.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Method, Needs, Task


class MaskInput(Method):
    """Cross-entropy on foregrounds before black."""

    needs = Needs(masks=True, mask_at_test=True)
    source = "Oracle; images as Only-FG of Xiao et al. 2021, ICLR (arXiv 2006.09994)"
    masks_input = True

    def build(self, task: Task) -> nn.Module:
        return Masked(super().build(task))

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image, batch.masks), batch.label)}


class Masked(nn.Module):
    """A classifier of images times masks."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``[B, C, H, W]`` images and ``[B, 1, H, W]`` masks in {0, 1} -> logits ``[B, K]``."""
        logits: Tensor = self.classifier(image * mask)
        return logits
