r"""GAIN with mask supervision: Grad-CAM must cover the object, and nothing outside it may speak for the class.

.. math::
    w_c &= \frac{1}{|A|} \sum_{ij} \frac{\partial f_y(x)}{\partial A_{cij}}, \qquad
    \mathrm{CAM} = \mathrm{up}\Big(\mathrm{ReLU}\big(\sum_c w_c A_c\big)\Big) \\
    x^* &= x - x \odot \mathrm{sigmoid}\big(\omega (\mathrm{CAM} - \sigma)\big) \\
    L &= \mathrm{CE}(f(x), y) + \alpha\, p_y(x^*) + w\, \mathrm{MSE}(\mathrm{CAM}, M)

``A`` is a feature map, ``f_y`` the logit of the label, ``up`` bilinear to the size of the image, ``p`` the softmax.
The three terms are means over the batch (and over the pixels).

Source: Li, Wu, Peng, Ernst and Fu 2018, "Tell me where to look" (arXiv 1802.10171), eq. 1-6 (``GAIN_ext``), in the
form of the ISNet authors' comparison (arXiv 2202.00232): cross-entropy, ``p_y`` as the attention-mining score, the
map neither divided by its maximum nor otherwise normalised, and weights ``w_c`` that are constants, so that the map is
trained through the activations only. Deviations:

- ``double_backward`` differentiates ``w_c`` too: the gradient of the formula as it stands.
- ``A`` is the deepest stage of at least ``grid`` pixels a side (:mod:`baselines.grad_cam` says why).
- With ``path``, all terms are taken at points between the image and another background (:mod:`isnet.path`): where a
  mark has switched a unit off, its activation is 0 and the map shows nothing. The map does not sum to a difference of
  logits, so here, unlike with a gradient, the path comes without a bound.
- The second forward leaves batch norm's running statistics alone; in the authors' code it moves them. They would then
  be those of a mixture of images and masked images, which the deployed network never meets: cross-entropy was 0.05 in
  training and 1.3 in validation (mnist5k, third epoch).

The gradient behind ``w_c`` runs through the statistics of the batch, as in the authors' code. At run time the network
is an ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from baselines.grad_cam import Grid, checked, grad_cam, of_label, run
from baselines.masks import PathOption, point_and_mask
from baselines.wrappers import before_wrapper
from benchmark.api import Batch, Method, Needs, Options, Task


class GAIN(Method):
    """Grad-CAM supervision at the training images, or on the path from them to another background."""

    class Settings(Options):
        """Symbols of the papers in brackets; defaults are those of the ISNet authors' comparison."""

        mining_weight: float = Field(1.0, ge=0, description="[alpha] of the label's probability without its region")
        mask_weight: float = Field(10.0, ge=0, description="[w] of the distance between map and mask")
        steepness: float = Field(10.0, gt=0, description="[omega] of the soft threshold")
        threshold: float = Field(0.5, description="[sigma] above it a pixel of the map is taken out of the image")
        grid: Grid = 7
        double_backward: bool = Field(False, description="train through the map's weights as well")
        path: PathOption = "none"

    settings: Settings
    needs = Needs(masks=True)
    source = "Li et al. 2018, CVPR (arXiv 1802.10171), eq. 1-6; with masks as in arXiv 2202.00232"

    def build(self, task: Task) -> nn.Module:
        return checked(super().build(task), task, self.settings.grid)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        x, mask = point_and_mask(o.path, batch, rng)
        with torch.enable_grad():  # validation runs without gradients, but a map's weights are one
            with before_wrapper(network) as kept:
                logits, features = run(network, x, o.grid)
            second_order = o.double_backward and network.training
            cam = grad_cam(kept[0], features, batch.label, x.shape[-2:], create_graph=second_order)
        with running_statistics_kept(network):
            without = network(taken_out(x, cam, o.steepness, o.threshold)).softmax(1)
        classification = cross_entropy(logits, batch.label)
        mining = of_label(without, batch.label).mean()
        distance = mse_loss(cam, mask)
        return {
            "loss": classification + o.mining_weight * mining + o.mask_weight * distance,
            "classification_loss": classification,
            "mining_loss": mining,
            "mask_loss": distance,
        }


def taken_out(x: Tensor, cam: Tensor, steepness: float, threshold: float) -> Tensor:
    """The image without the region of its map."""
    return x - x * torch.sigmoid(steepness * (cam - threshold))


@contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises as usual inside, but its running statistics stay as they are."""
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
