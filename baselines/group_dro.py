r"""Group DRO: the loss of the worst group of images, where a group is a class with a mark.

.. math::
    q_g &\leftarrow q_g \exp\big(\eta_q (\bar\ell_g + C / \sqrt{n_g})\big), \quad q \leftarrow q / \textstyle\sum q \\
    L &= \frac{1}{B} \sum_n \frac{q_{g(n)}}{r_{g(n)}}\, \mathrm{CE}(f(x_n), y_n)
       \;\approx\; \sum_g q_g\, \mathbb{E}_g[\mathrm{CE}]

``l_g`` is the mean loss of the batch's images of group ``g``, ``n_g`` the number of its training images, ``r_g`` the
probability that an image comes from it: one over the number of groups in training, where groups are drawn equally
often, and ``n_g / N`` in validation, where each image comes once. ``q`` moves in training steps only.

Source: Sagawa, Koh, Hashimoto and Liang 2020 (arXiv 1911.08731), algorithm 1, with the group adjustment ``C`` of
section 3.3. Deviations:

- Algorithm 1 draws one image a step; here ``q`` moves once a batch, by mean losses, as in the authors' code.
- That code weighs the batch *mean* of each group by ``q_g``. With more groups than images in a batch most groups are
  absent, and their ``q_g`` is lost. The sum above is algorithm 1's, averaged over the batch and times the number of
  groups: unbiased also then, and plain cross-entropy while ``q`` is uniform, so the learning rate keeps its meaning.
- ``C`` is added for the groups of the batch only, as algorithm 1 would.
- The paper chooses epochs and settings by the worst group of the validation images. Here, as for every method, the
  epoch is that of the lowest training objective there (at the ``q`` of that epoch).

Where the bias is fully correlated every class has one mark: a group is then a class, and this is DRO over classes,
which has no reason to give up the shortcut. Training images without a mark are a group of their own in each class.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.wrappers import unwrapped
from benchmark.api import Batch, Data, Examples, Method, Needs, Options, Phase, Task


class GroupDRO(Method):
    """Cross-entropy, weighted towards the groups that have it highest."""

    class Settings(Options):
        """The symbol of the paper in brackets."""

        step_size: float = Field(0.01, ge=0, description="[eta_q] of the group weights")
        adjustment: float = Field(
            0.0, ge=0, description="[C] what a small group's loss is raised by, times its root size"
        )

    settings: Settings
    needs = Needs(groups=True)
    source = "Sagawa et al. 2020, ICLR (arXiv 1911.08731), algorithm 1"

    def build(self, task: Task) -> nn.Module:
        return Grouped(super().build(task), task.classes)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("train", epochs, self.loss, begin=count_groups, weights=balancing_weights),)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        plain: Grouped = unwrapped(network)
        group = group_of(batch, plain.classes)
        each = cross_entropy(network(batch.image), batch.label, reduction="none")
        if network.training:
            plain.step(group, each.detach(), self.settings.step_size, self.settings.adjustment)
        weighted = (plain.weight_of(group, balanced=network.training) * each).mean()
        return {"loss": weighted, "classification_loss": each.mean(), "largest_group_weight": plain.q.max()}

    def deploy(self, network: nn.Module) -> nn.Module:
        plain: Grouped = unwrapped(network)
        return plain.classifier


class Grouped(nn.Module):
    """A classifier with a weight for each group; images -> logits.

    Args:
        classifier: Images -> logits.
        classes: ``K``; groups are numbered ``label * (K + 1) + code``, with ``code`` ``K`` for no mark.
    """

    q: Tensor
    size: Tensor

    def __init__(self, classifier: nn.Module, classes: int) -> None:
        super().__init__()
        self.classifier, self.classes = classifier, classes
        self.register_buffer("q", torch.zeros(classes * (classes + 1)))
        self.register_buffer("size", torch.zeros(classes * (classes + 1), dtype=torch.int64))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.classifier(image)
        return logits

    def step(self, group: Tensor, loss: Tensor, step_size: float, adjustment: float) -> None:
        """Raises the weights of a batch's groups by their losses, both ``[B]``; absent groups lose only their share."""
        total, count = self.sums(group, loss), self.sums(group, torch.ones_like(loss))
        raised = total / count.clamp(min=1) + (count > 0) * adjustment / self.size.clamp(min=1).sqrt()
        self.q.copy_((self.q.log() + step_size * raised).softmax(0))  # q = 0 stays 0

    def sums(self, group: Tensor, value: Tensor) -> Tensor:
        return torch.zeros_like(self.q).index_add(0, group, value.to(self.q.dtype))

    def weight_of(self, group: Tensor, balanced: bool) -> Tensor:
        """``q / r`` of each image, ``[B]``; 0 for a group without training images."""
        filled = self.size > 0
        share = filled / filled.sum() if balanced else self.size / self.size.sum()
        weight = torch.where(filled, self.q / share, 0.0)
        return weight[group]


def group_of(batch: Batch, classes: int) -> Tensor:
    """Number of each image's group, ``[B]``."""
    return batch.label * (classes + 1) + batch.codes.remainder(classes + 1)


def groups_of(examples: Examples, classes: int) -> Tensor:
    """Number of each image's group, ``[N]``."""
    return torch.cat([group_of(batch, classes) for batch in examples.batches()])


def count_groups(network: nn.Module, data: Data, rng: torch.Generator) -> None:
    """Finds the sizes of the training groups; ``q`` starts uniform over those that have images."""
    plain: Grouped = unwrapped(network)
    group = groups_of(data.train, plain.classes)
    plain.size.copy_(torch.bincount(group, minlength=len(plain.size)))
    plain.q.copy_((plain.size > 0) / (plain.size > 0).sum())


def balancing_weights(network: nn.Module, data: Data) -> Tensor:
    """One over the size of each training image's group: all groups are drawn equally often."""
    group = groups_of(data.train, unwrapped(network).classes)
    return 1 / torch.bincount(group)[group]
