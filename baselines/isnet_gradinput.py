r"""Gradient x input in place of LRP: the ablations that show what the relevance rules are good for.

.. math:: H_k = x \odot \frac{\partial f_k(x)}{\partial x} \quad (k = 1 \dots K), \qquad
          \text{or} \quad H = x \odot \frac{\partial \max_k p_k(x)}{\partial x}

The gradient is autograd's own: it runs through the statistics of batch norm, so in training the images of a batch
reach into each other's maps. Deviation from the authors' code, for all their experiments: they differentiate the
*mean* over the batch of the explained quantity, so that their maps shrink with the batch and their bounds ``C1`` and
``C2`` depend on its size. Here it is the *sum*: an image's map does not depend on how many others come with it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from baselines.isnet_base import HeatmapTrained
from baselines.isnet_maps import IMAGE, Explained, Sample, recorded
from baselines.wrappers import before_wrapper, full, unwrapped
from isnet import lrp
from isnet.targets import choose, max_probability


class ISNetGradInput(HeatmapTrained):
    """Gradient x input of every logit, a map each."""

    source = "Bassi, Dertkigil and Cavalli 2024, Nat. Commun. 15:291 (arXiv 2202.00232): ISNet Grad*Input"

    def target(self, logits: Tensor, label: Tensor, rng: torch.Generator) -> Tensor:
        """What is explained, as :func:`isnet.lrp.relevance` takes it."""
        return choose("original", logits, label, rng)

    def explain(self, network: nn.Module, sample: Sample, rng: torch.Generator, create_graph: bool) -> Explained:
        # Fused attention has no second backward.
        with sdpa_kernel(SDPBackend.MATH), before_wrapper(network) as kept:
            logits, hidden = recorded(network, self.hidden_layers(network), sample.x)
        target = self.target(logits, sample.label, rng)
        maps = gradient_times({IMAGE: sample.leaf, **hidden}, kept[0], target, create_graph)
        return Explained(logits, target, {place: (heatmap,) for place, heatmap in maps.items()})

    def where_not_finite(self, network: nn.Module, x: Tensor, target: Tensor) -> str | None:
        return lrp.first_non_finite(unwrapped(network), x, target, eps=0.0, bn="native")


class ISNetSoftmaxGradInput(ISNetGradInput):
    """Gradient x input of the largest softmax probability, which fades as the network grows confident."""

    source = "Bassi, Decherchi and Cavalli 2024, Faster ISNet (arXiv 2401.08409): Softmax Grad*Input"

    def target(self, logits: Tensor, label: Tensor, rng: torch.Generator) -> Tensor:
        return max_probability(logits)


def gradient_times(tensors: dict[str, Tensor], logits: Tensor, target: Tensor, create_graph: bool) -> dict[str, Tensor]:
    """Gradient x tensor at every place: one map for weights ``[B, C]``, ``K`` maps for class indices ``[B, K]``."""
    if target.is_floating_point():
        weights = target[:, None]
    else:
        weights = nn.functional.one_hot(target, logits.shape[1]).to(logits)
    maps = []
    for one in weights.unbind(1):
        # The graph must stay: for the next class, and for the classification loss.
        slopes = torch.autograd.grad(logits, list(tensors.values()), one, create_graph=create_graph, retain_graph=True)
        maps.append([full(slope) * full(tensor) for slope, tensor in zip(slopes, tensors.values(), strict=True)])
    stacked = [torch.stack(place, 1) for place in zip(*maps, strict=True)]
    return {
        name: (place[:, 0] if target.is_floating_point() else place)
        for name, place in zip(tensors, stacked, strict=True)
    }
