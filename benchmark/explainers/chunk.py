"""How many images an explainer runs at once: as many as stay in the cache of a core."""

from __future__ import annotations

from torch import Tensor

PIXELS = 200 * 28 * 28


def rows(image: Tensor) -> int:
    """Images at once, at least one copy of the batch ``[B, C, H, W]``: results do not depend on it."""
    return max(len(image), PIXELS // (image.shape[2] * image.shape[3]))
