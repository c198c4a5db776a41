r"""MaskTune: after an ordinary training, one epoch on images without the pixels that this training relied on most.

.. math::
    w_c &= \sum_{ij} \frac{A_{cij}}{\sum_{kl} A_{ckl}} \frac{\partial f_{\hat y}(x)}{\partial A_{cij}}, \qquad
    \mathrm{CAM} = \mathrm{up}\Big(\mathrm{ReLU}\big(\sum_c w_c A_c\big)\Big) \\
    \hat x &= x \odot [\mathrm{CAM} \le \mu_+ + \tau \sigma_+], \qquad L = \mathrm{CE}(f(\hat x), y)

``A`` is a feature map of the network as the first training left it, ``y^`` its prediction, and ``mu_+`` and ``sigma_+``
are mean and standard deviation over the pixels of an image's map that are above 0.

Source: Asgari et al. 2022 (arXiv 2210.00055), section 2, with XGrad-CAM of Fu et al. 2020 (arXiv 2008.02312). ``tau =
2`` and the statistics over positive pixels are those of the authors' code. Deviations:

- The maps are made in each step, by a frozen copy of the first network, instead of once: the mask then fits the shifted
  image, and nothing is stored for each image.
- ``A`` is the deepest stage of at least ``grid`` pixels a side, the last map at 224 px with ``grid`` 7 (see
  :mod:`baselines.grad_cam`).
- The second training has the learning rate at which the first one ended; a one-cycle schedule ends near 0, so here
  it is a cycle up to ``finetune_lr`` times the configured rate.

It tunes on masked images and is deployed on whole ones. What it needs is that the shortcut is on the map: a mark that
works by inhibition is not (see :mod:`baselines.gain`), and then the object is what is masked.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from baselines.grad_cam import Grid, checked, of_label, run
from baselines.wrappers import unwrapped
from benchmark.api import Batch, Data, Method, Options, Phase, Task


class MaskTune(Method):
    """Cross-entropy, then cross-entropy without the most salient pixels."""

    class Settings(Options):
        """Symbols of the formula in brackets."""

        finetune_epochs: int = Field(1, ge=1, description="on masked images")
        finetune_lr: float = Field(0.1, gt=0, description="their learning rate, of the configured one")
        deviations: float = Field(2.0, ge=0, description="[tau] above the mean, from which a pixel is masked")
        grid: Grid = 7

    settings: Settings
    source = "Asgari et al. 2022, NeurIPS (arXiv 2210.00055), section 2"

    def build(self, task: Task) -> nn.Module:
        o = self.settings
        return Tuned(checked(super().build(task), task, o.grid), o.grid, o.deviations)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        o = self.settings
        return (
            Phase("train", epochs, self.first_loss),
            Phase("tune", o.finetune_epochs, self.loss, begin=freeze, lr=o.finetune_lr),
        )

    def first_loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Cross-entropy of whole images."""
        return {"loss": cross_entropy(network(batch.image), batch.label)}

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image, masked=True), batch.label)}

    def deploy(self, network: nn.Module) -> nn.Module:
        plain: Tuned = unwrapped(network)
        return plain.classifier


class Tuned(nn.Module):
    """A classifier with a frozen copy of its former self; images -> logits.

    Args:
        classifier: A timm network.
        grid: Fewest pixels a side of the feature map.
        deviations: Above the mean, from which a pixel is masked.
    """

    def __init__(self, classifier: nn.Module, grid: int, deviations: float) -> None:
        super().__init__()
        self.classifier, self.grid, self.deviations = classifier, grid, deviations
        self.former = copy.deepcopy(classifier).requires_grad_(False)

    def train(self, mode: bool = True) -> Tuned:
        super().train(mode)
        self.former.eval()
        return self

    def forward(self, image: Tensor, masked: bool = False) -> Tensor:
        logits: Tensor = self.classifier(self.without_salient(image) if masked else image)
        return logits

    def without_salient(self, image: Tensor) -> Tensor:
        """The images without the pixels on which the former network relied most."""
        with torch.enable_grad():  # validation runs without gradients, but a map's weights are one
            # The former network's weights need no gradient: the images start the graph.
            logits, features = run(self.former, image.detach().requires_grad_(), self.grid)
            cam = xgrad_cam(logits, features, logits.argmax(1), image.shape[-2:])
        return image * (cam <= threshold(cam, self.deviations))


def freeze(network: nn.Module, data: Data, rng: torch.Generator) -> None:
    """The first training is over: what it learned decides what is masked."""
    plain: Tuned = unwrapped(network)
    plain.former.load_state_dict(plain.classifier.state_dict())


def xgrad_cam(logits: Tensor, features: Tensor, target: Tensor, size: torch.Size) -> Tensor:
    """The map of the target's logit, ``[B, 1, *size]``, not negative, without a graph (Fu et al. 2020).

    Args:
        logits: ``[B, K]`` with their graph.
        features: ``[B, C, h, w]``, a tensor of that graph.
        target: ``[B]`` class indices.
        size: Of the image.
    """
    (slope,) = torch.autograd.grad(of_label(logits, target).sum(), features)
    features = features.detach()
    total = features.sum((2, 3), keepdim=True)
    # As the reference implementation, which divides by total + 1e-7; a channel that is off weighs nothing.
    weights = (slope * features).sum((2, 3), keepdim=True) / (total + 1e-7)
    cam = (weights * features).sum(1, keepdim=True).relu()
    return interpolate(cam, size, mode="bilinear", align_corners=False)


def threshold(cam: Tensor, deviations: float) -> Tensor:
    """``mu_+ + tau sigma_+`` of each map, ``[B, 1, H, W]`` -> ``[B, 1, 1, 1]``; 0 of a map that is 0 everywhere."""
    positive = cam > 0
    count = positive.sum((2, 3), keepdim=True).clamp(min=1)
    mean = cam.sum((2, 3), keepdim=True) / count
    variance = ((cam - mean).square() * positive).sum((2, 3), keepdim=True) / count
    return mean + deviations * variance.sqrt()
