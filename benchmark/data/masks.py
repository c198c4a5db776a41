"""Foreground masks from ink, for images whose foreground is bright on black."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation

from benchmark.api import UInt8


def ink_mask(image: UInt8, threshold: float, dilate_px: int) -> UInt8:
    """Pixels brighter than the threshold in any channel, dilated by a square of ``2 dilate_px + 1``.

    The dilation keeps the soft edge of a stroke in the foreground, so that a mark beside it cannot hide in it.

    Args:
        image: ``[N, H, W, C]``.
        threshold: Fraction of full brightness, in [0, 1).
        dilate_px: Radius in pixels (8-neighbourhood), at least 0.

    Returns:
        ``[N, H, W]`` in {0, 1}.
    """
    ink = (image > threshold * 255).any(axis=-1)
    if dilate_px:
        side = 2 * dilate_px + 1
        ink = binary_dilation(ink, structure=np.ones((1, side, side), dtype=bool))
    return np.asarray(ink, dtype=np.uint8)
