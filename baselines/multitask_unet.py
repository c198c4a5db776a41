r"""Multi-task learning: one encoder must let a decoder segment the object while a head classifies it.

.. math:: L = \mathrm{CE}(f(e(x)), y) + w\, \mathrm{BCE}(s(e(x)), M)

``e`` is the encoder of a U-Net, ``s`` its decoder (a logit for every pixel), ``f`` an average pool and a linear layer
on the deepest feature map, ``M`` the foreground mask. The hope is that features which draw the object also tell its
class; nothing forbids ``f`` to read the others.

Source: U-Net by Ronneberger, Fischer and Brox 2015 (arXiv 1505.04597), multi-task learning by Caruana 1997 (Machine
Learning 28); together as in the multi-task U-Net of the comparison in arXiv 2202.00232. Deviations:

- The encoder is the backbone of the task, so that the deployed network is the one that all other methods train. Their
  code has the U-Net's own encoder, and three dense layers on 7 x 7 pooled maps as the head.
- Their code does not tell the weights of the two losses; ``w`` is 1 here.
- The head is an average pool and a linear layer, as in the usual backbones; layers that a backbone has between its last
  feature map and its pool (EfficientNet's last convolution) are not there.

The decoder is dropped at run time.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from baselines.unet_classifier import overlap
from benchmark.api import Batch, Method, Needs, Options, Task
from benchmark.backbone import create_unet


class MultitaskUNet(Method):
    """A classifier whose encoder also serves a segmenter in training."""

    class Settings(Options):
        """Symbols of the formula in brackets."""

        segmentation_weight: float = Field(1.0, ge=0, description="[w]")
        width: int = Field(256, ge=16, description="most channels of the decoder, see create_unet")

    settings: Settings
    needs = Needs(masks=True)
    source = "Ronneberger et al. 2015, MICCAI (arXiv 1505.04597) and Caruana 1997; as compared in arXiv 2202.00232"

    def build(self, task: Task) -> nn.Module:
        return create_unet(task, classes=task.classes, width=self.settings.width)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        mask_logits, logits = network(batch.image)
        classification = cross_entropy(logits, batch.label)
        segmentation = binary_cross_entropy_with_logits(mask_logits, batch.masks)
        return {
            "loss": classification + self.settings.segmentation_weight * segmentation,
            "classification_loss": classification,
            "segmentation_loss": segmentation,
            "mask_iou": overlap(mask_logits.detach() > 0, batch.masks > 0),
        }

    def deploy(self, network: nn.Module) -> nn.Module:
        return Classifier(network)


class Classifier(nn.Module):
    """The encoder and the classification head of a U-Net, sharing its weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = network.get_submodule("encoder"), network.get_submodule("classification_head")

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(image)[-1])
        return logits
