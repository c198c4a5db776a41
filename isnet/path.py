r"""Path sampling: explain points on the way to another background instead of the image alone.

.. math:: x_\alpha = M \odot x + (1 - M) \odot \big(b + \alpha (x - b)\big), \qquad \alpha \sim U(0, 1)

A shortcut can work by *inhibition*: units that the mark switches off have zero gradient where the mark is, so no
gradient-based heatmap of that image shows them, and a network can drive its heatmap loss to zero while it still reads
the mark. But such a unit must switch somewhere between the image with and without its background. For plain gradients
completeness gives :math:`f(x) - f(x_0) = \mathbb{E}_\alpha \sum_{bg} (x - b)\,\nabla f(x_\alpha)`: a bound on the
expected background relevance along the path bounds what the background can do to the logit.
"""

from __future__ import annotations

import torch
from torch import Tensor


def blend(x: Tensor, mask: Tensor, alpha: Tensor, background: Tensor | float = 0.0) -> Tensor:
    """The point of the path at ``alpha``.

    Args:
        x: ``[B, C, H, W]``.
        mask: ``[B, 1, H, W]`` in {0, 1}, 1 = foreground, which stays as it is.
        alpha: ``[B, 1, 1, 1]`` in [0, 1]; 1 gives the image, 0 the other background.
        background: ``b``, a number or an image that broadcasts to ``x``.

    Returns:
        ``[B, C, H, W]``.
    """
    return torch.where(mask > 0, x, background + alpha * (x - background))


def sample(x: Tensor, mask: Tensor, rng: torch.Generator, background: Tensor | float = 0.0) -> Tensor:
    """:func:`blend` at one uniformly drawn ``alpha`` per image, from a CPU generator."""
    alpha = torch.rand(len(x), 1, 1, 1, generator=rng).to(x)
    return blend(x, mask, alpha, background)
