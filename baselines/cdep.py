r"""CDEP: what the background contributes to the logits by contextual decomposition (CD) is penalised.

.. math::
    L = \mathrm{CE}(f(x), y) + \frac{\lambda}{B} \sum_n \|\beta_n\|_1, \qquad f(x) = \beta + \gamma

:math:`\beta` is the contribution of the background, :math:`\gamma` that of the rest. Both start as parts of the image,
:math:`\beta = (1 - M) \odot x` and :math:`\gamma = M \odot x`, and pass through the layers side by side:

.. math::
    \text{linear, convolution} \quad & \beta' = W\beta + \frac{|W\beta|}{|W\beta| + |W\gamma|}\, b \\
    \text{ReLU} \quad & \beta' = \mathrm{ReLU}(\beta), \qquad
                        \gamma' = \mathrm{ReLU}(\beta + \gamma) - \mathrm{ReLU}(\beta) \\
    \text{max pooling} \quad & \beta' = \beta \text{ where } \beta + \gamma \text{ is largest}

with :math:`\gamma'` always such that :math:`\beta' + \gamma'` is the layer's output. Sums, concatenations and average
pooling act on each part alone.

Source: Rieger, Singh, Murdoch and Yu 2020 (arXiv 1909.13584), section 3, whose explanation error is
:math:`\sum_n \|\beta_n - \mathrm{expl}_n\|_1`, here with 0 as explanation. CD is that of Singh, Murdoch and Yu 2019
(arXiv 1806.05337) for convolutional networks, after Murdoch, Liu and Yu 2018 (arXiv 1801.05453). Deviations:

- The default is the error as the paper writes it. ``score="softmax"`` is the penalty of the authors' experiments on
  images: the softmax of :math:`\beta` against :math:`\gamma`, a mean over images and logits. A mark that speaks
  *against* the other classes lowers it.
- Both terms are means over the batch, where the paper has sums.
- Batch norm, for which the papers have no rule, is linear: its scale and its shift follow the rule of a convolution. In
  the path of :math:`\beta` the statistics are constants, so that a contribution cannot be lowered through other images.
- The denominator of the shares has a small constant: without it their slope has no bound. What it takes is the
  foreground's, so that the sum stays exact.
- The authors switch their network to evaluation for CD. Here one forward of the doubled batch gives
  :math:`\beta` and the logits, with batch norm as in training; the cross-entropy and its gradient are the plain ones.
- With ``path``, all terms are taken at points between the image and another background (:mod:`isnet.path`).

A low penalty proves little either way: where a mark switches off a unit of the object, :math:`\beta` is negative, its
ReLU is 0, and what the unit loses counts as the object's.

At run time the network is an ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.contextual import decompose
from baselines.masks import PathOption, point_and_mask
from benchmark.api import Batch, Method, Needs, Options, Task


class CDEP(Method):
    """Penalty of the background's contribution at the training images, or on the path to another background."""

    class Settings(Options):
        """The symbol of the paper in brackets."""

        penalty_weight: float = Field(1.0, ge=0, description="[lambda]")
        score: Literal["absolute", "softmax"] = Field("absolute", description="what of a contribution is penalised")
        path: PathOption = "none"

    settings: Settings
    needs = Needs(masks=True)
    source = "Rieger et al. 2020, ICML (arXiv 1909.13584), section 3"

    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        image = torch.zeros(2, task.channels, task.height, task.width)
        with torch.no_grad():  # refuses a network without rules before anything is trained
            decompose(network.eval(), image, image)
        return network.train()

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        x, mask = point_and_mask(o.path, batch, rng)
        beta, logits = decompose(network, (1 - mask) * x, x)
        penalty = beta.abs().sum(1).mean() if o.score == "absolute" else softmax_score(beta, logits)
        classification = cross_entropy(logits, batch.label)
        return {
            "loss": classification + o.penalty_weight * penalty,
            "classification_loss": classification,
            "contribution_penalty": penalty,
        }


def softmax_score(beta: Tensor, logits: Tensor) -> Tensor:
    """Mean over images and logits of the softmax of ``beta`` against ``gamma = logits - beta``, all ``[B, K]``."""
    return torch.stack([beta, logits - beta]).softmax(0)[0].mean()
