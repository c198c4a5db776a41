"""What the ISNets explain, and what comes out: samples, heatmaps by place, recorded layers, parts of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from baselines.wrappers import unwrapped
from benchmark.api import Batch
from benchmark.errors import BenchmarkError
from isnet import lrp
from isnet.path import Point

IMAGE = "image"
Factor = Literal["point", "difference"]


class Sample(NamedTuple):
    """What is explained.

    Attributes:
        leaf: ``[B, C, H, W]``, with ``requires_grad``: the factor of the heatmap.
        x: ``[B, C, H, W]``, computed from ``leaf``: what the network sees.
        mask: ``[B, 1, H, W]``.
        label: ``[B]``.
    """

    leaf: Tensor
    x: Tensor
    mask: Tensor
    label: Tensor


class Explained(NamedTuple):
    """Logits and heatmaps of one forward.

    Attributes:
        logits: ``[B, K]``.
        target: What was explained, as :func:`isnet.lrp.relevance` takes it.
        maps: By place, the image first, then the hidden layers: one or more heatmaps, ``[B, C, h, w]`` or
            ``[B, K, C, h, w]``.
    """

    logits: Tensor
    target: Tensor
    maps: Mapping[str, Sequence[Tensor]]

    def named(self) -> list[tuple[str, Tensor]]:
        """All heatmaps with their places, in the order of the bounds."""
        return [(place, heatmap) for place, heatmaps in self.maps.items() for heatmap in heatmaps]


def take(values: Tensor, rows: Tensor | None) -> Tensor:
    """The rows of a tensor; all for ``None``."""
    return values if rows is None else values[rows]


def sample_of(at: Point, batch: Batch, rows: Tensor | None, factor: Factor) -> Sample:
    """The part of a batch that is explained.

    Args:
        at: Points of the path of all images.
        batch: The images, with masks.
        rows: The part; ``None`` for all.
        factor: What the gradient at the point is multiplied with: ``point``, the point itself; ``difference``, the
            image less the path's end. The network sees the point either way.
    """
    x, mask, label = (take(values, rows) for values in (at.x, batch.masks, batch.label))
    if factor == "point":
        leaf = x.detach().requires_grad_()
        return Sample(leaf, leaf, mask, label)
    leaf = take(batch.image - at.origin, rows).detach().requires_grad_()
    return Sample(leaf, leaf + (x - leaf).detach(), mask, label)


def part(images: int, fraction: float, rng: torch.Generator) -> tuple[Tensor | None, Tensor | None]:
    """A random part of a batch and the rest; ``(None, None)`` if the part is the whole.

    Both run through the network by themselves, so that the relevance pass costs only its part; batch norm then
    normalises each by its own statistics. Hence both have at least two images.
    """
    count = max(2, round(fraction * images))
    if images - count < 2:
        return None, None
    order = torch.randperm(images, generator=rng)
    return order[:count], order[count:]


def recorded(network: nn.Module, names: Sequence[str], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the outputs of the named modules in that order.

    Raises:
        BenchmarkError: If a module did not run.
    """
    with lrp.record(unwrapped(network), names) as hidden:
        logits = network(x)
    missing = [name for name in names if name not in hidden]
    if missing:
        raise BenchmarkError(f"hidden layer {missing[0]!r} does not run in this network", do="Name another layer.")
    return logits, {name: hidden[name] for name in names}
