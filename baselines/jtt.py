r"""Just train twice (JTT): a second network, which is shown the images more often that a first one gets wrong.

.. math::
    E &= \{ n : \arg\max f_1(x_n) \neq y_n \}, \qquad w_n = \lambda_{up} \text{ if } n \in E \text{ else } 1 \\
    L &= \sum_n w_n\, \mathrm{CE}(f_2(x_n), y_n) \Big/ \sum_n w_n

``f_1`` is trained by cross-entropy for ``T`` epochs, too short to learn more than what is easy; then ``f_2`` from
its own random weights for all epochs. In training ``w`` is the frequency of an image's draws, in validation a factor.

Source: Liu, Haghgoo, Chen, Raghunathan, Koh, Sagawa, Liang and Finn 2021 (arXiv 2107.09044), algorithm 1. Deviations:

- The errors are drawn ``lambda_up`` times as often, in epochs that keep their length; the paper repeats them, which
  makes its epochs longer.
- The first network's weights are those of its best epoch of ``T``, as in every phase here, not those of the last.
- The paper tunes ``T``, ``lambda_up`` and the epoch by the worst group of the validation images. Here the epoch is that
  of the lowest loss above, and ``T`` is a share of the epochs, by default that of the paper's Waterbirds (60 of 300);
  ``lambda_up`` was not tuned, the paper's are from 4 to 100.

The cost is that of ``erm`` times one plus that share, and a forward of the first network. Without errors this is
``erm``, but for drawing with replacement. So it is where a bias is fully correlated, since who reads it is right.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.wrappers import unwrapped
from benchmark.api import Batch, Data, Method, Options, Phase, Task


class JTT(Method):
    """Cross-entropy twice."""

    class Settings(Options):
        """Symbols of the paper in brackets."""

        share: float = Field(0.2, gt=0, le=1, description="[T] epochs of the first network, of the second's")
        upweight: float = Field(20.0, ge=1, description="[lambda_up] how often an error is drawn, relative to others")

    settings: Settings
    source = "Liu et al. 2021, ICML (arXiv 2107.09044), algorithm 1"

    def build(self, task: Task) -> nn.Module:
        return Pair(super().build(task), super().build(task))

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        first = max(1, round(self.settings.share * epochs))
        return (
            Phase("identify", first, self.identification_loss, trained=lambda pair: unwrapped(pair).first.parameters()),
            Phase(
                "train",
                epochs,
                self.loss,
                trained=lambda pair: unwrapped(pair).second.parameters(),
                weights=self.frequencies,
            ),
        )

    def identification_loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Cross-entropy of the first network."""
        return {"loss": cross_entropy(network(batch.image, first=True), batch.label)}

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        each = cross_entropy(network(batch.image), batch.label, reduction="none")
        if network.training:  # the weights are in the draws
            return {"loss": each.mean()}
        weight = self.upweighted(network(batch.image, first=True), batch.label)
        return {"loss": (weight * each).sum() / weight.sum(), "classification_loss": each.mean()}

    def frequencies(self, network: nn.Module, data: Data) -> Tensor:
        """How often each training image is drawn, ``[N]``."""
        with torch.no_grad():
            parts = [self.upweighted(network(batch.image, first=True), batch.label) for batch in data.train.batches()]
        return torch.cat(parts)

    def upweighted(self, logits: Tensor, label: Tensor) -> Tensor:
        """``lambda_up`` for an error, else 1: ``[B, K]``, ``[B]`` -> ``[B]``."""
        return torch.where(logits.argmax(1) == label, 1.0, self.settings.upweight)

    def deploy(self, network: nn.Module) -> nn.Module:
        plain: Pair = unwrapped(network)
        return plain.second


class Pair(nn.Module):
    """Two classifiers; images -> logits of the second, or of the first where asked."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, image: Tensor, first: bool = False) -> Tensor:
        logits: Tensor = (self.first if first else self.second)(image)
        return logits
