r"""Background swap: the label must hold in front of any background.

.. math:: L = \mathrm{CE}(f(\tilde x), y), \qquad
          \tilde x = M \odot x + (1 - M) \odot b \ \text{with probability } p, \text{ else } x

``b`` is another background (:func:`isnet.path.background`). ``other`` is that of another image of the batch, its
foreground filled with its own blurred background; ``zero``, ``mean`` and ``blur`` blank it.

Source: Xiao, Engstrom, Ilyas and Madry 2021 (arXiv 2006.09994), who train on ``Mixed-Rand``: foregrounds in front of
the backgrounds of images of a random class. Deviations:

- The partner is drawn anew in every epoch and from the batch, where the paper makes one fixed data set.
- The hole that the partner's foreground leaves is filled with its blurred background; the paper tiles its background.
- ``probability`` below 1 mixes in unchanged images.

Defaults: ``other`` and 1. A partner's background comes with its mark, mostly that of another class, and the label is
the foreground's: so training shows that the mark says nothing. A blank background only never shows a mark, and what a
network does with one is then left to chance. Every unchanged image would keep a part of the correlation, so that the
mark would go on to lower the loss. An image never keeps its own background, so marks are not drawn evenly: a batch of
32 images of 10 classes shows the own class's mark in about 1 of 10 all the same.

Validation swaps too, by the same draws after every epoch. At run time the network is an ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch, Method, Needs, Options
from isnet.path import background


class BackgroundSwap(Method):
    """Cross-entropy in front of other backgrounds."""

    class Settings(Options):
        """The symbol of the formula in brackets."""

        kind: Literal["other", "zero", "mean", "blur"] = Field("other", description="[b] which background")
        probability: float = Field(1.0, ge=0, le=1, description="[p] that an image gets it")

    settings: Settings
    needs = Needs(masks=True)
    source = "Xiao et al. 2021, ICLR (arXiv 2006.09994), training on Mixed-Rand"

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        mask, x = batch.masks, batch.image
        swapped = torch.where(mask > 0, x, background(self.settings.kind, x, mask, rng))
        chosen = torch.rand(len(x), 1, 1, 1, generator=rng) < self.settings.probability
        x = torch.where(chosen.to(x.device), swapped, x)
        return {"loss": cross_entropy(network(x), batch.label)}
