r"""ISNet with path sampling: the heatmap loss on points between each image and the image without its background.

.. math:: x_\alpha = M \odot x + \alpha (1 - M) \odot x, \quad \alpha \sim U(0, 1), \quad
          L = (1 - P)\,\mathrm{CE}(f(x_\alpha), y) + P\,L_H\big(\mathrm{LRP}(f, x_\alpha)\big)

Why: :mod:`isnet.path`. One forward and one relevance pass a step, as in the ISNet; nothing at run time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.isnet import ISNet
from isnet import path


class ISNetPath(ISNet):
    """Heatmaps along the path to the black background."""

    source = "this project, docs/path-sampling.md; ISNet: arXiv 2202.00232"

    def explained_input(self, image: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        return path.sample(image, mask, rng)
