r"""Learning from failure (LfF): a network that is made to read the shortcut tells another which images to learn from.

.. math::
    L &= \frac{1}{B} \sum_n \frac{1 - p_B(y_n \mid x_n)^q}{q} + \frac{1}{B} \sum_n W_n\, \ell_D(x_n, y_n) \\
    W_n &= \frac{\bar\ell_B / m_B}{\bar\ell_B / m_B + \bar\ell_D / m_D}, \qquad
    \bar\ell \leftarrow \alpha \bar\ell + (1 - \alpha)\, \ell

``p_B`` are the probabilities of the biased network, which its generalised cross-entropy draws to the images that it
finds easy already; ``l`` is the cross-entropy of either network, its bar a moving average for each training image, and
``m`` the largest average of the image's class. ``W``, a constant to the gradient, is the relative difficulty: near 1
where the biased network fails. The debiased network is deployed.

Source: Nam, Cha, Ahn, Lee and Shin 2020 (arXiv 2007.02561), algorithm 1; the averages and their maxima are the
authors' implementation (github.com/alinlab/LfF). Deviations:

- The authors' code multiplies the generalised loss by ``q``; here it is the formula, whose gradient is ``p**q`` times
  that of cross-entropy. With one gradient clip over both networks the factor would matter.
- In validation ``W`` comes from the losses of the moment, since those images have no averages, over the maxima of
  the training images; nothing is stored.
- The epoch is that of the lowest ``L`` on the validation images; the paper reports the last, or the best by groups.

A step costs two of ``erm``. Where the bias is fully correlated no image goes against it: ``W`` then tells hard images
from easy ones, not those that deny the shortcut from the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.wrappers import unwrapped
from benchmark.api import Batch, Method, Options, Task

UNSEEN = -1.0
"""The average loss of an image that has not come yet: below every loss, so that no maximum takes it."""


class LfF(Method):
    """A biased and a debiased network, trained side by side."""

    class Settings(Options):
        """Symbols of the paper, or of its code, in brackets."""

        amplification: float = Field(0.7, gt=0, le=1, description="[q] of the generalised cross-entropy")
        memory: float = Field(0.7, ge=0, lt=1, description="[alpha] of the average losses")

    settings: Settings
    source = "Nam et al. 2020, NeurIPS (arXiv 2007.02561), algorithm 1"

    def build(self, task: Task) -> nn.Module:
        return BiasedAndDebiased(super().build(task), super().build(task), task.classes, task.images)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        logits = network(batch.image)
        each = [cross_entropy(one, batch.label, reduction="none") for one in logits]
        plain: BiasedAndDebiased = unwrapped(network)
        present = torch.stack(each).detach()
        if network.training:
            present = plain.remember(batch.rows, batch.label, present, self.settings.memory)
        weight = relative_difficulty(present, plain.largest()[:, batch.label])
        biased = generalised_cross_entropy(logits[0], batch.label, self.settings.amplification).mean()
        debiased = (weight * each[1]).mean()
        return {
            "loss": biased + debiased,
            "biased_loss": biased,
            "debiased_loss": debiased,
            "difficulty": weight.mean(),
        }

    def deploy(self, network: nn.Module) -> nn.Module:
        plain: BiasedAndDebiased = unwrapped(network)
        return plain.debiased


class BiasedAndDebiased(nn.Module):
    """Two classifiers with the average losses of their training images; images -> the logits of each.

    Args:
        biased: Images -> logits.
        debiased: Images -> logits.
        classes: ``K``.
        images: Number of training images.
    """

    average: Tensor
    label: Tensor

    def __init__(self, biased: nn.Module, debiased: nn.Module, classes: int, images: int) -> None:
        super().__init__()
        self.biased, self.debiased, self.classes = biased, debiased, classes
        self.register_buffer("average", torch.full((2, images), UNSEEN))
        self.register_buffer("label", torch.zeros(images, dtype=torch.int64))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.biased(image), self.debiased(image)

    def remember(self, row: Tensor, label: Tensor, loss: Tensor, memory: float) -> Tensor:
        """Moves a batch's averages towards its losses ``[2, B]`` and returns them; an image's first is its loss."""
        before = self.average[:, row]
        after = torch.where(before == UNSEEN, loss, memory * before + (1 - memory) * loss)
        self.average[:, row] = after.to(self.average.dtype)
        self.label[row] = label
        return after

    def largest(self) -> Tensor:
        """The largest average of each class, ``[2, K]``; 0 for a class of which no image has come."""
        start = self.average.new_zeros(2, self.classes)
        return start.scatter_reduce(1, self.label.expand(2, -1), self.average, "amax")


def generalised_cross_entropy(logits: Tensor, label: Tensor, q: float) -> Tensor:
    """``(1 - p_y**q) / q`` of each image: ``[B, K]``, ``[B]`` -> ``[B]`` (Zhang and Sabuncu 2018, arXiv 1805.07836)."""
    # From log p: the slope of p**q is not finite where p rounds to 0.
    return -torch.expm1(-q * cross_entropy(logits, label, reduction="none")) / q


def relative_difficulty(loss: Tensor, largest: Tensor) -> Tensor:
    """``W`` from both networks' losses and their classes' largest, ``[2, B]`` each -> ``[B]``; 0 where both are 0."""
    biased, debiased = loss / torch.where(largest > 0, largest, 1.0)
    difficulty: Tensor = biased / (biased + debiased).clamp(min=torch.finfo(loss.dtype).tiny)
    return difficulty
