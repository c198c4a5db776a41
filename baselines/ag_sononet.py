r"""Attention-gated Sononet: gates learn, from labels alone, which places of a feature map to look at.

.. math::
    c_i &= \psi^\top \mathrm{ReLU}\big(\Theta x_i + \mathrm{up}(\Phi g)_i\big) + b \\
    \alpha_i &= \frac{c_i - \min_j c_j}{\sum_j (c_j - \min_k c_k)}, \qquad \tilde{x} = \sum_i \alpha_i x_i \\
    f(x) &= W [\tilde{x}^{(3)}, \tilde{x}^{(4)}, \mathrm{mean}_i\, g_i], \qquad L = \mathrm{CE}(f(x), y)

``x_i`` is the feature vector at place ``i`` of the third or fourth stage, ``g`` the map of the fifth (the gating
signal), ``up`` bilinear to the size of ``x``.

Source: Schlemper et al. 2019, "Attention gated networks" (arXiv 1808.08114), section 2, and its authors' published
network: five stages of 3, 3, 3, 2 and 2 times conv 3 x 3, batch norm, ReLU, with max pools between them. The idea of
such a VGG for scan planes is Sononet's (Baumgartner et al. 2017, arXiv 1612.05601). ``feature_scale`` divides the
widths 64, 128, 256, 512, 512; it is 8 in their settings, which also normalise by the formula above. Of their ways to
join the three vectors this is the concatenation. Deviations:

- A max pool is left out where its map would have fewer than ``grid`` pixels a side. At 224 px all four are there; at
  28 px two, else the gating signal were a single pixel and the gates had nothing to choose from.
- Each ``c_i - min_j c_j`` has ``1e-5`` more: a map of equal scores, undefined in the formula, becomes the mean of the
  places.
- ``sigmoid`` weighs by :math:`\alpha_i = \sigma(c_i) / N`: without the number of places ``N`` the pooled vector would
  grow with the size of the image. ``softmax`` is as it is called.

The network is its own: the ``backbone`` of the YAML is not used, so rule 9 (methods of one task share the backbone) is
broken by nature. It is a baseline of attention without masks: nothing tells the gates where the object is.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate

from baselines.erm import ERM
from benchmark.api import Options, Task

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (3, 3, 3, 2, 2)
Normalisation = Literal["shift", "softmax", "sigmoid"]


class AGSononet(ERM):
    """Cross-entropy on a VGG with two attention gates."""

    class Settings(Options):
        """What the published settings vary."""

        feature_scale: int = Field(8, ge=1, le=64, description="divides the number of channels of every stage")
        normalisation: Normalisation = Field("shift", description="of the scores [c] to attention [alpha]")
        grid: int = Field(7, ge=1, description="fewest pixels a side that a max pool may leave")

    settings: Settings
    source = "Schlemper et al. 2019, Medical Image Analysis 53 (arXiv 1808.08114)"

    def build(self, task: Task) -> nn.Module:
        o = self.settings
        pools = min(4, max(0, (min(task.height, task.width) // o.grid).bit_length() - 1))
        widths = [max(1, width // o.feature_scale) for width in WIDTHS]
        return Network(task.channels, task.classes, widths, pools, o.normalisation)


class Network(nn.Module):
    """The whole classifier.

    Args:
        channels: Of the image.
        classes: Number of logits.
        widths: Channels of the five stages.
        pools: Number of max pools: the first behind the first stage.
        normalisation: Of both gates.
    """

    def __init__(
        self, channels: int, classes: int, widths: list[int], pools: int, normalisation: Normalisation
    ) -> None:
        super().__init__()
        before = [channels, *widths[:-1]]
        self.stages = nn.ModuleList(
            stage(*each, pool=0 < number <= pools)
            for number, each in enumerate(zip(before, widths, CONVOLUTIONS, strict=True))
        )
        self.gates = nn.ModuleList(Gate(widths[place], widths[-1], normalisation) for place in (2, 3))
        self.head = nn.Linear(widths[2] + widths[3] + widths[4], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        features = [image]
        for each in self.stages:
            features.append(each(features[-1]))
        signal = features[5]
        attended = [gate(features[place], signal) for gate, place in zip(self.gates, (3, 4), strict=True)]
        logits: Tensor = self.head(torch.cat([*attended, signal.mean((2, 3))], 1))
        return logits


class Gate(nn.Module):
    """Sums a feature map over its places by the attention that a coarser map pays to them."""

    def __init__(self, channels: int, signal_channels: int, normalisation: Normalisation) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.theta = nn.Conv2d(channels, signal_channels, 1, bias=False)
        self.phi = nn.Conv2d(signal_channels, signal_channels, 1, bias=False)
        self.psi = nn.Conv2d(signal_channels, 1, 1)

    def forward(self, x: Tensor, signal: Tensor) -> Tensor:
        """``[B, c, h, w]`` and the gating signal ``[B, g, h', w']`` -> ``[B, c]``."""
        up = interpolate(self.phi(signal), size=x.shape[2:], mode="bilinear", align_corners=False)
        score = self.psi((self.theta(x) + up).relu())
        return (attention(score.flatten(1), self.normalisation)[:, None] * x.flatten(2)).sum(2)


def attention(score: Tensor, normalisation: Normalisation) -> Tensor:
    """The weight of every place, ``[B, N] -> [B, N]``: with ``shift`` and ``softmax`` they sum to 1."""
    if normalisation == "softmax":
        return score.softmax(1)
    if normalisation == "sigmoid":
        return score.sigmoid() / score.shape[1]
    above = score - score.amin(1, keepdim=True) + 1e-5
    return above / above.sum(1, keepdim=True)


def stage(channels: int, width: int, convolutions: int, pool: bool) -> nn.Sequential:
    """Perhaps a max pool, then convolutions with batch norm and ReLU."""
    layers: list[nn.Module] = [nn.MaxPool2d(2)] if pool else []
    for number in range(convolutions):
        layers += [nn.Conv2d(channels if number == 0 else width, width, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)
