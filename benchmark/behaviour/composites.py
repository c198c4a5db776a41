r"""Images taken apart and put together, pixel by pixel: the work of numpy alone, on many images at once.

.. math:: x_{ij} = M_i \odot x_i + (1 - M_i) \odot b_j, \qquad
          b_j = \text{image } j \text{ with its foreground filled from its nearest background}

A mark lies in the background and travels with it. It is not used to fill holes with, or it would grow: unless it
covers more than half of the background, as a tint does, and then it *is* the background.

Shapes: images ``[N, H, W, C]`` of 0 to 255, masks and marks ``[N, H, W]``, 1 = foreground and 1 = pixel of the mark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmark.api import UInt8
from benchmark.errors import BenchmarkError
from benchmark.seeding import numpy_stream

Region = NDArray[np.bool_]

SIGMA = 0.25
"""Standard deviation, as a share of the range 0 to 255, of noise in a region of half of the image."""


def background_of(image: UInt8, mask: UInt8, mark: UInt8 | None = None) -> UInt8:
    """The background alone: every foreground pixel becomes a copy of the nearest background pixel.

    An image without background comes back as it is.

    Args:
        image: ``[N, H, W, C]``.
        mask: ``[N, H, W]``.
        mark: ``[N, H, W]``; where to take no copies from. None by default.

    Raises:
        BenchmarkError: If shapes disagree.
    """
    _check(image, mask, mark)
    return _filled(image, mask == 1, _sources(mask == 0, mark))


def paste(foreground: UInt8, mask: UInt8, background: UInt8) -> UInt8:
    """Each foreground in front of a background.

    Args:
        foreground: ``[N, H, W, C]`` images, of which the masked pixels are taken.
        mask: ``[N, H, W]``.
        background: ``[N, H, W, C]`` what is behind them.

    Raises:
        BenchmarkError: If shapes disagree.
    """
    _check(foreground, mask)
    _check(background, mask)
    return np.where(mask[..., None] == 1, foreground, background)


def boxes(mask: UInt8) -> Region:
    """``[N, H, W]``: the pixels of each foreground's bounding box; none for an empty mask."""
    rows, columns = np.asarray(mask.any(2)), np.asarray(mask.any(1))
    return _span(rows)[:, :, None] & _span(columns)[:, None, :]


def without_box(image: UInt8, mask: UInt8, mark: UInt8 | None = None) -> UInt8:
    """The foreground's bounding box filled from the background around it, so that no outline is left.

    Pixels of a mark within the box stay: they are background. Where the box is the whole image nothing is around it,
    and the image comes back as it is.

    Raises:
        BenchmarkError: If shapes disagree.
    """
    _check(image, mask, mark)
    box = boxes(mask)
    hole = box if mark is None else box & ((mark == 0) | (mask == 1))
    return _filled(image, hole, _sources(~box, mark))


def without_foreground(image: UInt8, mask: UInt8) -> UInt8:
    """Foreground pixels black: the silhouette stays, unless the background is black as well.

    Raises:
        BenchmarkError: If shapes disagree.
    """
    _check(image, mask)
    return np.where(mask[..., None] == 1, np.uint8(0), image)


def noise_of(ids: NDArray[np.str_], height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.float32]:
    """Standard normal noise ``[N, H, W, C]``: each image's own, drawn from its name."""
    shape = (height, width, channels)
    fields = [numpy_stream(seed, "noise", name).standard_normal(shape, np.float32) for name in ids.tolist()]
    return np.stack(fields) if fields else np.zeros((0, *shape), np.float32)


def with_noise(image: UInt8, region: Region, noise: NDArray[np.float32], sigma: float = SIGMA) -> UInt8:
    r"""Noise in one region, of the same expected L2 norm whatever the region's area.

    .. math:: x' = x + \sigma \sqrt{H W / 2 n} \cdot \varepsilon \quad \text{on the } n \text{ pixels of the region}

    Else a large background would meet more noise than a small foreground. Values are rounded and clipped to 0 to 255:
    near black or white about half of the noise is lost.

    Args:
        image: ``[N, H, W, C]``.
        region: ``[N, H, W]`` true where the noise goes.
        noise: ``[N, H, W, C]`` of standard deviation 1.
        sigma: Standard deviation, as a share of the range, in a region of half of the image.
    """
    height, width = region.shape[1:]
    spread = 255 * sigma * np.sqrt(height * width / (2 * np.maximum(region.sum((1, 2)), 1)))
    noisy = np.clip(np.rint(image + spread[:, None, None, None].astype(np.float32) * noise), 0, 255).astype(np.uint8)
    return np.where(region[..., None], noisy, image)


def _span(used: Region) -> Region:
    """``[N, L]``: everything from the first true place to the last."""
    return np.logical_or.accumulate(used, axis=1) & np.logical_or.accumulate(used[:, ::-1], axis=1)[:, ::-1]


def _sources(around: Region, mark: UInt8 | None) -> Region:
    """Where copies are taken from: not from a mark that covers at most half of what is around."""
    if mark is None:
        return around
    plain = around & (mark == 0)
    return np.where((2 * plain.sum((1, 2)) >= around.sum((1, 2)))[:, None, None], plain, around)


def _filled(image: UInt8, hole: Region, source: Region) -> UInt8:
    """Pixels of the hole as copies of the nearest source pixel; images without either stay as they are."""
    result = image.copy()
    for row in np.flatnonzero(hole.any((1, 2)) & source.any((1, 2))).tolist():
        nearest = distance_transform_edt(~source[row], return_distances=False, return_indices=True)
        holes = hole[row]
        result[row, holes] = image[row, nearest[0, holes], nearest[1, holes]]
    return result


def _check(image: UInt8, mask: UInt8, mark: UInt8 | None = None) -> None:
    if image.ndim != 4 or any(part.shape != image.shape[:3] for part in (mask, mark) if part is not None):
        shapes = [part.shape for part in (image, mask, mark) if part is not None]
        raise BenchmarkError("images, masks and marks", got=shapes, expected="[N, H, W, C], then [N, H, W]")
