r"""Right for the right reasons with Grad-CAM (RRR-G): no relevance of the label outside the mask.

.. math::
    L = \mathrm{CE}(f(x), y) + \frac{\lambda}{B} \sum_n \sum_{ij}
    \Big( (1 - M)_{nij}^{\downarrow}\, \frac{S_{nij}}{\max_{kl} |S_{nkl}|} \Big)^2, \qquad
    S = \sum_c w_c A_c, \quad w_c = \frac{1}{|A|} \sum_{ij} \frac{\partial f_y(x)}{\partial A_{cij}}

``A`` is a feature map, ``f_y`` the logit of the label, and the arrow takes the part of each cell of ``A`` that is
background. The penalty is differentiated as it stands, through the gradient in ``w_c`` too: a true second backward.

Source: Schramowski et al. 2020 (arXiv 2001.05371) moved the penalty of :mod:`baselines.rrr` from the input to the last
convolution; squared normalised Grad-CAM times the annotation is the form in which Friedrich et al. 2023 (arXiv
2203.03668) compare it as RRR-G. Shao et al. 2021 (AAAI, "Right for better reasons") penalise influence functions
instead, through all weights: another method. Deviations:

- The map of the label, where the comparison takes the class that is predicted: this changes in training.
- Divided by its largest absolute value, so that 0 stays 0. The comparison subtracts the minimum and divides by the
  maximum: where the object speaks against the class, a background without relevance becomes the largest of all.
- Without a ReLU, as in the comparison: relevance against the label is a shortcut as well.
- In the comparison's code the weights ``w_c`` are constants.
- The mean over the batch, as the classification loss, and ``A`` as in :mod:`baselines.grad_cam` says.
- ``statistics="constant"`` holds the statistics of batch norm in the penalty, at the cost of a second forward
  (:mod:`baselines.rrr` says why that can matter); with ``path`` all terms are taken at points between the image and
  another background (:mod:`isnet.path`).

At run time the network is an ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from baselines.grad_cam import Grid, checked, run, signed_map
from baselines.masks import PathOption, point_and_mask
from baselines.rrr import ConstantStatistics, Statistics, has_batch_norm
from baselines.wrappers import before_wrapper
from benchmark.api import Batch, Method, Needs, Options, Task

TINY = 1e-6
"""Least divisor of a map: a map of zeros stays one."""


class RRRGradCAM(Method):
    """Grad-CAM penalty at the training images, or on the path from them to another background."""

    class Settings(Options):
        """The symbol of the paper in brackets."""

        penalty_weight: float = Field(0.1, ge=0, description="[lambda]")
        grid: Grid = 7
        statistics: Statistics = "batch"
        path: PathOption = "none"

    settings: Settings
    needs = Needs(masks=True)
    source = "Schramowski et al. 2020, Nature Machine Intelligence (arXiv 2001.05371); as RRR-G of arXiv 2203.03668"

    def build(self, task: Task) -> nn.Module:
        return checked(super().build(task), task, self.settings.grid)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        x, mask = point_and_mask(o.path, batch, rng)
        twice = o.statistics == "constant" and network.training and has_batch_norm(network)
        with torch.enable_grad():  # validation runs without gradients, but a map's weights are one
            # Fused attention has no second backward.
            with (
                sdpa_kernel(SDPBackend.MATH),
                ConstantStatistics() if twice else nullcontext(),
                before_wrapper(network) as kept,
            ):
                explained, features = run(network, x, o.grid)
            relevance = signed_map(kept[0], features, batch.label, create_graph=network.training)
            logits = network(x) if twice else explained
        penalty = outside(relevance, mask)
        classification = cross_entropy(logits, batch.label)
        return {
            "loss": classification + o.penalty_weight * penalty,
            "classification_loss": classification,
            "gradcam_penalty": penalty,
        }


def outside(relevance: Tensor, mask: Tensor) -> Tensor:
    """The penalty, a mean over images of a sum over cells.

    Args:
        relevance: ``S``, ``[B, 1, h, w]``.
        mask: ``[B, 1, H, W]`` in {0, 1}.
    """
    height, width = relevance.shape[-2:]
    share = adaptive_avg_pool2d(1 - mask, (height, width))
    normalised = relevance / relevance.abs().amax((2, 3), keepdim=True).clamp(min=TINY)
    return (share * normalised).square().flatten(1).sum(1).mean()
