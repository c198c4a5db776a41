r"""Segment, then classify: a U-Net finds the object, and a classifier sees the image without the rest.

.. math::
    L_1 &= \mathrm{BCE}(s(x), M) \\
    L_2 &= \mathrm{CE}\big(f(x \odot \hat{M}), y\big), \qquad \hat{M} = [\sigma(s(x)) > t]

``s`` gives a logit for every pixel, ``M`` is the foreground mask, ``[.]`` is 1 where it holds and else 0. Phase
``segment`` trains ``s`` alone, phase ``classify`` then ``f`` alone: ``s`` is frozen and works as deployed (running
statistics of batch norm, no gradient). ``f`` is trained on the *predicted* masks of the training images and meets
predicted masks at run time, which needs no others.

Source: U-Net by Ronneberger, Fischer and Brox 2015 (arXiv 1505.04597); the pipeline is the segmentation-classification
comparison of arXiv 2202.00232, whose code holds the networks only. Hence decided here:

- The mask is hard. With the probability itself (``threshold: null``, as an earlier work of the same authors
  multiplied) the background is only dimmed: a mark comes through at the few per cent of brightness that the
  segmenter leaves, and batch norm amplifies it.
- The loss is the mean cross-entropy of the pixels; the paper's weights for borders between touching objects are
  left out, since there is one foreground.
- The U-Net's contracting path is the same timm network as the classifier, cut off where its map would have fewer than
  ``grid`` pixels a side: it halves the image twice at 28 px, five times at 224 px. The two share no weights.
- Rule 9 holds for the classifier: it trains for the common number of epochs. The segmenter, a second network, has
  ``segmenter_share`` times as many before that.

A mark that the segmenter takes for foreground reaches the classifier untouched: that is how this method fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from benchmark.api import Batch, Method, Needs, Options, Phase, Task
from benchmark.backbone import create_classifier, create_unet


class UNetClassifier(Method):
    """A segmenter and, on what it leaves of the image, a classifier."""

    class Settings(Options):
        """Symbols of the formula in brackets."""

        threshold: float | None = Field(
            0.5, gt=0, lt=1, description="[t] of the foreground's probability; null multiplies by the probability"
        )
        segmenter_share: float = Field(0.5, gt=0, description="epochs of the segmenter, in those of the classifier")
        grid: int = Field(7, ge=1, description="fewest pixels a side of the U-Net's deepest map")
        width: int = Field(256, ge=16, description="most channels of the decoder, see create_unet")

    settings: Settings
    needs = Needs(masks=True)
    source = "Ronneberger et al. 2015, MICCAI (arXiv 1505.04597); as a pipeline in arXiv 2202.00232"
    masks_input = True

    def build(self, task: Task) -> nn.Module:
        o = self.settings
        segmenter = create_unet(task, depth=halvings(min(task.height, task.width), o.grid), width=o.width)
        return Pipeline(segmenter, create_classifier(task), o.threshold)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (
            Phase(
                "segment",
                max(1, round(self.settings.segmenter_share * epochs)),
                self.segmentation_loss,
                trained=lambda network: network.get_submodule("segmenter").parameters(),
            ),
            Phase(
                "classify",
                epochs,
                self.loss,
                trained=lambda network: network.get_submodule("classifier").parameters(),
            ),
        )

    def segmentation_loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The segmenter's loss, and how well its masks fit: intersection over union of all pixels of the batch."""
        logits = network(batch.image, "segment")
        return {
            "loss": binary_cross_entropy_with_logits(logits, batch.masks),
            "mask_iou": overlap(logits.detach() > 0, batch.masks > 0),
        }

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image), batch.label)}


class Pipeline(nn.Module):
    """Both networks: images -> logits of the classes, or of the mask."""

    def __init__(self, segmenter: nn.Module, classifier: nn.Module, threshold: float | None) -> None:
        super().__init__()
        self.segmenter, self.classifier, self.threshold = segmenter, classifier, threshold

    def forward(self, image: Tensor, part: Literal["segment", "classify"] = "classify") -> Tensor:
        logits: Tensor = self.segmenter(image) if part == "segment" else self.classifier(image * self.mask(image))
        return logits

    def mask(self, image: Tensor) -> Tensor:
        """The foreground ``[B, 1, H, W]`` in [0, 1], by the segmenter as it is deployed: it never learns here."""
        if self.training:
            # Only the classifier is trained on masked images. In training mode the segmenter's batch norm would move,
            # and a mask would depend on the other images of the batch.
            self.segmenter.eval()
            with torch.no_grad():
                probability: Tensor = self.segmenter(image).sigmoid()
            self.segmenter.train()
        else:
            probability = self.segmenter(image).sigmoid()
        return probability if self.threshold is None else (probability > self.threshold).to(image.dtype)


def halvings(side: int, grid: int) -> int:
    """How often a side of ``side`` pixels can be halved and keep ``grid`` of them: 1 to 5."""
    return min(5, max(1, (side // grid).bit_length() - 1))


def overlap(found: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of two boolean masks; 1 where both are empty."""
    union = (found | truth).sum()
    return torch.where(union > 0, (found & truth).sum() / union.clamp_min(1), torch.ones_like(union).float())
