r"""The network of hierarchical attention mining: foreground attention, log-sum-exp pooling, and activation maps.

.. math::
    a &= [e(x), \mathrm{FA}(e(x))], \qquad F = \mathrm{ReLU}(\mathrm{BN}(\mathrm{conv}_{3 \times 3}(a))) \\
    p_c &= \tfrac{1}{r} \log \tfrac{1}{N} \sum_i e^{r F_{ci}}, \qquad z_k = \sum_c w_{kc} p_c, \qquad
    A_{ki} = \mathrm{ReLU}\big(\sum_c \bar{w}_{kc} F_{ci}\big)

``e`` is the backbone, ``FA`` the foreground attention module, ``F`` a map with channels ``c`` and ``N`` places ``i``,
``z`` the logits without bias, ``A`` the activation maps, where the bar says that ``w`` is a constant. Source and
deviations: :mod:`baselines.ham`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from benchmark.backbone import Encoder


class Seen(NamedTuple):
    """What the network says of a batch of images.

    Attributes:
        logits: ``[B, K]``, one for each finding.
        anomaly: ``[B]``, the logit of "any finding".
        maps: ``[B, K, h, w]``, the activation map of each finding, not negative.
        anomaly_map: ``[B, 1, h, w]``.
    """

    logits: Tensor
    anomaly: Tensor
    maps: Tensor
    anomaly_map: Tensor


class Network(nn.Module):
    """Images -> logits and maps of ``findings`` classes and of the anomaly.

    Args:
        encoder: Images -> feature map.
        findings: ``K``.
        width: Channels of the map ``F``.
        sharpness: ``r`` of the pooling: 0 would be the mean, infinity the maximum.
    """

    def __init__(self, encoder: Encoder, findings: int, width: int, sharpness: float) -> None:
        super().__init__()
        self.width, self.sharpness = width, sharpness
        inner = max(1, encoder.channels // 4)
        self.encoder = encoder
        self.attention = nn.Sequential(
            *convolution(encoder.channels, inner), ForegroundAttention(inner), *convolution(inner, inner)
        )
        self.mix = nn.Sequential(*convolution(encoder.channels + inner, width), nn.ReLU())
        self.head = nn.Linear(width, findings, bias=False)
        self.anomaly_head = nn.Linear(width, 1, bias=False)

    def forward(self, image: Tensor, dropout: Tensor | None = None) -> Seen:
        """With ``dropout`` the channels of ``F`` are multiplied by it, ``[B, width]``."""
        seen = self.encoder(image)
        features = self.mix(torch.cat([seen, self.attention(seen)], 1))
        if dropout is not None:
            features = features * dropout[:, :, None, None]
        pooled = pool(features, self.sharpness)
        return Seen(
            self.head(pooled),
            self.anomaly_head(pooled)[:, 0],
            activation_map(features, self.head.weight),
            activation_map(features, self.anomaly_head.weight),
        )


class ForegroundAttention(nn.Module):
    """A residual block that weighs channels by a pooled vector, then places; it starts as the identity."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        narrow = max(1, channels // reduction)
        self.place = nn.Conv2d(channels, 1, 1, bias=False)
        self.channel = nn.Sequential(
            nn.Linear(channels, narrow, bias=False), nn.ReLU(), nn.Linear(narrow, channels, bias=False), nn.Sigmoid()
        )
        self.value = nn.Conv2d(channels, channels, 1, bias=False)
        self.squeeze = nn.Conv2d(channels, 1, 1, bias=False)
        self.position = nn.Sequential(*convolution(1, 1), nn.Sigmoid())
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.place(x).flatten(2).softmax(2)
        channels = self.channel((x.flatten(2) * weight).sum(2))
        one = self.squeeze(self.value(x) * channels[:, :, None, None])
        attended: Tensor = x + self.scale * one * self.position(one)
        return attended


def convolution(channels: int, width: int) -> tuple[nn.Module, nn.Module]:
    """3 x 3, with batch norm."""
    return nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)


def pool(features: Tensor, sharpness: float) -> Tensor:
    """Log-sum-exp pooling, ``[B, C, h, w] -> [B, C]``: between the mean and the maximum of the places."""
    flat = features.flatten(2)
    return ((sharpness * flat).logsumexp(2) - math.log(flat.shape[2])) / sharpness


def activation_map(features: Tensor, weight: Tensor) -> Tensor:
    """The class activation maps of linear heads ``[K, C]``, whose weights are held: ``[B, K, h, w]``."""
    return conv2d(features, weight.detach()[:, :, None, None]).relu()
