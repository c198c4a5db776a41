"""Masks for methods that take one at test: as a plain segmenter finds them, not as a person drew them.

A true mask would hide how a method fails when its segmentation does. So each pixel is classified from what surrounds
it and where it lies, by gradient-boosted trees (scikit-learn) that learn from masks of training images: with their
marks, so the segmenter can be deceived like any other. It is a segmenter of the benchmark, the same for all methods.

Images larger than 64 px are segmented at 64 px, and their masks enlarged to the nearest pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmark.api import Floats, UInt8
from benchmark.data.decode import fit_image
from benchmark.errors import BenchmarkError

IMAGES, PIXELS = 300, 100
"""Most images to learn from, and pixels of each: more teach it little more."""
SIDE = 64
"""Largest image that is segmented as it is."""
TREES, LEAVES, RATE = 20, 15, 0.3
NUMBERS = 2**24
"""Features that are in memory at once."""


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A fitted classifier of pixels.

    Attributes:
        trees: Pixels to foreground or background.
        radius: Of the surroundings of a pixel.
        channels: Of the images.
    """

    trees: HistGradientBoostingClassifier
    radius: int
    channels: int

    def __call__(self, image: UInt8) -> UInt8:
        """Masks ``[N, H, W]`` of images ``[N, H, W, C]``.

        Raises:
            BenchmarkError: If the images have other channels than those learnt from.
        """
        if image.ndim != 4 or image.shape[-1] != self.channels:
            expected = f"[N, H, W, {self.channels}], as learnt from"
            raise BenchmarkError("images to segment", got=image.shape, expected=expected)
        masks = np.zeros(image.shape[:3], np.uint8)
        step = block(image, self.radius)
        for start in range(0, len(image), step):
            part = small(image[start : start + step])
            numbers = surroundings(part, self.radius)
            with threadpool_limits(1):  # no threads that a forked process would wait for
                found = self.trees.predict(numbers.reshape(-1, numbers.shape[-1]))
            masks[start : start + step] = enlarged(found.reshape(part.shape[:3]), image.shape[1:3])
        return masks


def fit(image: UInt8, mask: UInt8, rng: np.random.Generator, radius: int = 3) -> Segmenter:
    """Learns from a sample of pixels of at most 300 images.

    Args:
        image: ``[N, H, W, C]`` training images, with their marks.
        mask: ``[N, H, W]`` their masks, 1 = foreground.
        rng: Draws the images and the pixels.
        radius: A pixel is seen with the ``(2 radius + 1)^2`` pixels around it.

    Raises:
        BenchmarkError: If shapes disagree, or the masks are all empty or all full.
    """
    if image.ndim != 4 or mask.shape != image.shape[:3] or not len(image):
        shapes = f"shapes {image.shape} and {mask.shape}"
        raise BenchmarkError("images and masks to learn from", got=shapes, expected="[N, H, W, C] and [N, H, W]")
    rows = np.sort(rng.permutation(len(image))[:IMAGES])
    seen, known, step = [], [], block(image, radius)
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        numbers, truth = surroundings(small(image[some]), radius), small(255 * mask[some][..., None]) > 127
        numbers, truth = numbers.reshape(len(some), -1, numbers.shape[-1]), truth.reshape(len(some), -1)
        for one, right in zip(numbers, truth, strict=True):
            chosen = np.sort(rng.permutation(len(right))[:PIXELS])
            seen.append(one[chosen])
            known.append(right[chosen])
    target = np.concatenate(known)
    if target.all() or not target.any():
        raise BenchmarkError(
            "masks to learn from", got="only foreground" if target.all() else "only background", expected="both"
        )
    trees = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, early_stopping=False, random_state=0
    )
    with threadpool_limits(1):
        trees.fit(np.concatenate(seen), target)
    return Segmenter(trees, radius, image.shape[-1])


def dice(predicted: UInt8, true: UInt8) -> Floats:
    """``2 |A ∩ B| / (|A| + |B|)`` of each image, ``[N, H, W]`` twice -> ``[N]`` in [0, 1]; NaN if both are empty."""
    predicted, true = np.asarray(predicted) == 1, np.asarray(true) == 1
    both, size = (predicted & true).sum((1, 2)), predicted.sum((1, 2)) + true.sum((1, 2))
    return np.asarray(np.divide(2 * both, size, out=np.full(len(size), np.nan), where=size > 0))


def surroundings(image: UInt8, radius: int) -> NDArray[np.float32]:
    """``[N, H, W, F]``: the pixels around each pixel (edges go on), in [0, 1], and its place, in [0, 1]."""
    count, height, width, _ = image.shape
    edge, side = (radius, radius), 2 * radius + 1
    padded = np.pad(image, ((0, 0), edge, edge, (0, 0)), mode="edge").astype(np.float32) / 255
    around = sliding_window_view(padded, (side, side), axis=(1, 2)).reshape(count, height, width, -1)
    place = np.stack(np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij"), axis=-1)
    return np.concatenate([around, np.broadcast_to(place, (count, height, width, 2)).astype(np.float32)], axis=-1)


def block(image: UInt8, radius: int) -> int:
    """How many images at once."""
    height, width = (min(size, SIDE) for size in image.shape[1:3])
    features = int((2 * radius + 1) ** 2) * image.shape[-1] + 2
    return max(1, NUMBERS // int(height * width * features))


def small(image: UInt8) -> UInt8:
    """The images at the size at which they are segmented."""
    if max(image.shape[1:3]) <= SIDE:
        return image
    return np.stack([fit_image(one, SIDE, "stretch").reshape(SIDE, SIDE, -1) for one in image])


def enlarged(mask: NDArray[np.bool_], size: tuple[int, ...]) -> UInt8:
    """Masks ``[N, h, w]`` at another size, each pixel that of the nearest one."""
    down, right = (
        np.minimum(((np.arange(wanted) + 0.5) * given / wanted).astype(int), given - 1)
        for wanted, given in zip(size, mask.shape[1:], strict=True)
    )
    return mask[:, down][:, :, right].astype(np.uint8)
