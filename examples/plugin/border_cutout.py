r"""Border cutout: in training, some images lose their border, where a shortcut may lie.

.. math::
    L = \mathrm{CE}\big(f((1 - c F_w) \odot x), y\big), \quad c \sim \mathrm{Bernoulli}(p),\; w \sim U\{1, \dots, W\}

``F_w`` is 1 in a frame of ``w`` pixels along the border and 0 inside; ``c`` and ``w`` are drawn for every image.

Source: DeVries and Taylor 2017, Cutout (arXiv 1708.04552), section 3.2. Deviations: a frame instead of a square at a
random place, since this wants to hide the background and not parts of the object; no mask is needed for that. A
mark away from the border is not hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Method, Options


class BorderCutout(Method):
    """Cross-entropy on images of which some have no border."""

    class Settings(Options):
        """Symbols of the formula in brackets."""

        chance: float = Field(0.5, ge=0, le=1, description="[p] that an image loses its border")
        width_px: int = Field(4, ge=1, description="[W] of the widest border")

    settings: Settings
    source = "DeVries and Taylor 2017 (arXiv 1708.04552), section 3.2, with a frame in place of a square"

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        images, o = len(batch.label), self.settings
        chosen = torch.rand(images, generator=rng) < o.chance
        width = torch.randint(1, o.width_px + 1, (images,), generator=rng) * chosen
        height_px, width_px = batch.image.shape[-2:]
        inside = 1 - frame(width, height_px, width_px).to(batch.image)
        return {"loss": cross_entropy(network(batch.image * inside), batch.label)}


def frame(width: Tensor, height_px: int, width_px: int) -> Tensor:
    """1 within ``width`` ``[B]`` pixels of the border, else 0: ``[B, 1, height_px, width_px]``."""
    row, column = torch.arange(height_px), torch.arange(width_px)
    to_edge = torch.minimum(
        torch.minimum(row, height_px - 1 - row)[:, None], torch.minimum(column, width_px - 1 - column)[None, :]
    )
    return (to_edge < width[:, None, None]).float()[:, None]
