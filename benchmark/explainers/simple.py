r"""Maps that do not look at the model: what an explainer must beat before its maps say anything.

.. math::
    \text{uniform} &: R_{ij} = 1 \\
    \text{centre} &: R_{ij} = \exp\Big( -\frac{(i - i_0)^2 + (j - j_0)^2}{2 \sigma^2} \Big), \qquad
    \sigma = \tfrac{1}{4} \min(H, W) \\
    \text{edges} &: R_{ij} = |\nabla x|_{ij} \quad \text{(Sobel)}

``(i_0, j_0)`` is the middle of the image. All are the same for every model and target, and not negative.

Source: the centre Gaussian is the usual chance level of gaze and saliency data (Judd, Durand and Torralba 2012); the
edge detector is the control of Adebayo et al. 2018 (arXiv 1810.03292): maps of explainers can resemble it. Sobel as in
scikit-image.
"""

from __future__ import annotations

import numpy as np
import torch
from skimage.filters import sobel
from torch import Tensor, nn


def uniform(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """1 in each pixel, in equal parts a channel."""
    return torch.full_like(image, 1 / image.shape[1])


def centre(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """A Gaussian around the middle, in equal parts a channel; 1 is its peak."""
    height, width = image.shape[2:]
    row = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    column = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    squared = row.square()[:, None] + column.square()
    gaussian = torch.exp(-squared / (2 * (min(height, width) / 4) ** 2)).to(image)
    return (gaussian / image.shape[1]).expand_as(image).clone()


def edges(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Sobel's magnitude of each channel by itself."""
    planes = image.detach().cpu().numpy().reshape(-1, *image.shape[2:])
    found = np.stack([sobel(plane) for plane in planes])  # type: ignore[no-untyped-call]
    return torch.from_numpy(found).to(image).reshape(image.shape)
