r"""Hierarchical attention mining (HAM): the maps of the classes lie in the map of "any finding", and on the mask.

.. math::
    L &= \mathrm{BCE}(z, y) + \lambda_a \mathrm{BCE}(z_0, y_0) + \lambda_b L_b + \lambda_u L_u + \lambda_m L_m \\
    L_b &= \frac{\sum_i A_{ki} - \min(A_{ki}, A_{0i})\, T(A_{ki})}{\sum_i A_{ki}}, \qquad
    L_u = \frac{\sum_i A_{0i} - \min(\max_k A_{ki}, A_{0i})\, T(A_{0i})}{\sum_i A_{0i}} \\
    L_m &= \frac{\sum_i (R_{ki} - M_i)^2}{\sum_i R_{ki} + M_i}, \qquad
    R = \mathrm{sigmoid}\big(\omega (\mathrm{up}(A)' - \sigma)\big)

``z`` and ``A`` are logits and activation maps of the findings ``k``, with index 0 those of the anomaly, the label "any
finding" (:mod:`baselines.ham_network`). ``T(a) = sigmoid(omega (a - tau))``; ``up`` is bilinear to the size of the
image and the prime scales a map to [0, 1]; ``M`` is the mask. ``L_b`` keeps the map of a present class within that of
the anomaly, ``L_u`` the latter within the former together, ``L_m`` a present class on the object. ``L_b`` is the mean
over the images with the class, ``L_m`` divides sums over those images, and both are means over the classes that the
batch has; ``L_u`` is the mean over images with a finding.

Source: Ouyang et al. 2021, "Learning hierarchical attention for weakly-supervised chest X-ray abnormality localization
and diagnosis" (IEEE TMI 40, arXiv 2112.12349). Formulas, network and weights are those of its authors' published
code; a mask for every image is the comparison's of arXiv 2202.00232. Deviations:

- Labels of one class become one-hot. ``normal`` names the class without a finding: it gets no map, and its logit is
  minus the anomaly's, as in arXiv 2202.00232. Where there is none (digits), every image has a finding: the map of the
  anomaly is then that of any object, and its own cross-entropy knows positives only.
- Their masks are boxes of single findings; here the foreground belongs to each finding that an image has.
- The backbone is the task's, cut off at the deepest map of at least ``grid`` pixels a side. Theirs is a dilated
  ResNet-50 with an eighth of the resolution and weights from ImageNet.
- The dropout of channels draws from the training's own stream, so that a resumed training repeats it.
- The scale of a map is at least ``1e-5``: where a map is almost flat the prime would divide by almost 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, one_hot

from baselines.ham_network import Network, Seen
from benchmark.api import Batch, Method, Needs, Options, Task
from benchmark.backbone import create_encoder
from benchmark.errors import BenchmarkError

TINY = 1e-5


class HAM(Method):
    """Activation maps of classes and of "any finding" that constrain each other, with mask supervision."""

    class Settings(Options):
        """Symbols of the formula in brackets; defaults are those of the authors' code."""

        anomaly_weight: float = Field(0.01, ge=0, description="[lambda_a]")
        bound_weight: float = Field(0.001, ge=0, description="[lambda_b]")
        union_weight: float = Field(0.001, ge=0, description="[lambda_u]")
        mask_weight: float = Field(0.5, ge=0, description="[lambda_m]")
        steepness: float = Field(100.0, gt=0, description="[omega] of both soft thresholds")
        threshold: float = Field(0.4, description="[sigma] of a scaled map")
        constraint_threshold: float = Field(0.75, description="[tau] of a map as it is")
        sharpness: float = Field(6.0, gt=0, description="[r] of the pooling")
        width: int = Field(512, ge=1, description="channels of the map that the heads read")
        dropout: float = Field(0.1, ge=0, lt=1, description="probability that a channel of it is dropped in training")
        grid: int = Field(7, ge=2, description="fewest pixels a side of the maps")
        normal: int | None = Field(None, ge=0, description="the class without a finding, if there is one")

    settings: Settings
    needs = Needs(masks=True)
    source = "Ouyang et al. 2021, IEEE TMI 40(10) (arXiv 2112.12349)"

    def build(self, task: Task) -> nn.Module:
        o = self.settings
        if o.normal is not None and o.normal >= task.classes:
            raise BenchmarkError(
                "normal, the class without a finding",
                got=o.normal,
                expected=f"a class below {task.classes}",
                do="Leave it out where every class is a finding.",
            )
        findings = task.classes - (o.normal is not None)
        return Network(create_encoder(task, o.grid), findings, o.width, o.sharpness)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        o = self.settings
        seen: Seen = network(batch.image, self.dropout(network, batch, rng))
        present = findings(batch.label, seen.logits.shape[1], o.normal).to(seen.logits.dtype)
        refined = refine(seen.maps, batch.masks.shape[2:], o.steepness, o.threshold)
        classification = binary_cross_entropy_with_logits(seen.logits, present)
        anomaly = binary_cross_entropy_with_logits(seen.anomaly, present.amax(1))
        bound = bound_loss(seen.maps, seen.anomaly_map, present, o.steepness, o.constraint_threshold)
        union = union_loss(seen.maps, seen.anomaly_map, present, o.steepness, o.constraint_threshold)
        distance = mask_loss(refined, batch.masks, present)
        return {
            "loss": classification
            + o.anomaly_weight * anomaly
            + o.bound_weight * bound
            + o.union_weight * union
            + o.mask_weight * distance,
            "classification_loss": classification,
            "anomaly_loss": anomaly,
            "bound_loss": bound,
            "union_loss": union,
            "mask_loss": distance,
        }

    def dropout(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor | None:
        """The factor of every channel, ``[B, width]``; ``None`` in validation."""
        rate = self.settings.dropout
        if not network.training or rate == 0:
            return None
        kept = torch.rand(len(batch.image), self.settings.width, generator=rng) >= rate
        return kept.to(batch.image) / (1 - rate)

    def deploy(self, network: nn.Module) -> nn.Module:
        return Classifier(network, self.settings.normal)


class Classifier(nn.Module):
    """The logits of all classes."""

    def __init__(self, network: nn.Module, normal: int | None) -> None:
        super().__init__()
        self.network, self.normal = network, normal

    def forward(self, image: Tensor) -> Tensor:
        seen: Seen = self.network(image)
        at = self.normal
        if at is None:
            return seen.logits
        return torch.cat([seen.logits[:, :at], -seen.anomaly[:, None], seen.logits[:, at:]], 1)


def findings(label: Tensor, count: int, normal: int | None) -> Tensor:
    """Which findings an image has, ``[B, count]``, from classes ``[B]`` or labels ``[B, K]`` in {0, 1}."""
    classes = count + (normal is not None)
    labels = one_hot(label, classes) if label.ndim == 1 else label
    return labels[:, [k for k in range(classes) if k != normal]]


def refine(maps: Tensor, size: torch.Size, steepness: float, threshold: float) -> Tensor:
    """The maps ``[B, K, h, w]`` at the size of the image, each scaled to [0, 1], through a soft threshold."""
    large = interpolate(maps, size, mode="bilinear", align_corners=True)
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    return torch.sigmoid(steepness * ((large - low) / (high - low).clamp_min(TINY) - threshold))


def bound_loss(maps: Tensor, anomaly_map: Tensor, present: Tensor, steepness: float, threshold: float) -> Tensor:
    """The share of a present class's map that is not in the anomaly's, or below the threshold."""
    inside = torch.minimum(maps, anomaly_map) * torch.sigmoid(steepness * (maps - threshold))
    share = (maps - inside).sum((2, 3)) / maps.sum((2, 3)).clamp_min(TINY)
    images = present.sum(0)
    return ((share * present).sum(0) / images.clamp_min(1)).sum() / (images > 0).sum().clamp_min(1)


def union_loss(maps: Tensor, anomaly_map: Tensor, present: Tensor, steepness: float, threshold: float) -> Tensor:
    """The share of the anomaly's map that is in no present class's, or below the threshold."""
    covered = (maps * present[:, :, None, None]).amax(1, keepdim=True)
    inside = torch.minimum(covered, anomaly_map) * torch.sigmoid(steepness * (anomaly_map - threshold))
    share = (anomaly_map - inside).sum((1, 2, 3)) / anomaly_map.sum((1, 2, 3)).clamp_min(TINY)
    found = present.amax(1)
    return (share * found).sum() / found.sum().clamp_min(1)


def mask_loss(refined: Tensor, mask: Tensor, present: Tensor) -> Tensor:
    """The squared distance of refined maps ``[B, K, H, W]`` and masks, in parts of both areas."""
    distance = ((refined - mask).square().sum((2, 3)) * present).sum(0)
    area = ((refined + mask).sum((2, 3)) * present).sum(0)
    return (distance / area.clamp_min(TINY)).sum() / (present.sum(0) > 0).sum().clamp_min(1)
