"""Where a small mark goes: near its own place, where it meets the least foreground.

Of all places in the image, those where a box of ``h x w`` px meets the fewest foreground pixels (mostly none) are in
question, and of these the one is taken that is nearest to the place of choice: the mark slides there. Where nothing is
free the mark lies partly on the foreground, and only the part on the background is painted.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmark.api import Ints, UInt8
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]

MARGIN = 0.04
"""Distance of a mark from the edges, as a fraction of the shorter side."""


def pixels(fraction: float, height: int, width: int) -> int:
    """A fraction of the shorter side in px, at least 1."""
    return max(1, round(fraction * min(height, width)))


def covered(mask: UInt8, height: int, width: int) -> Ints:
    """Foreground pixels in every box of ``height x width`` px, ``[N, H - height + 1, W - width + 1]``.

    From the sums over all rectangles that start in the top left corner (integral images).
    """
    sums = np.zeros((len(mask), mask.shape[1] + 1, mask.shape[2] + 1), np.int32)
    np.cumsum(mask != 0, axis=1, dtype=np.int32, out=sums[:, 1:, 1:])
    np.cumsum(sums[:, 1:, 1:], axis=2, out=sums[:, 1:, 1:])
    boxes: Ints = sums[:, height:, width:] - sums[:, :-height, width:] - sums[:, height:, :-width]
    boxes += sums[:, :-height, :-width]
    return boxes


def settle(mask: UInt8, home: Ints, height: int, width: int) -> Ints:
    """Top-left corners of boxes near ``home`` that meet the least foreground.

    Args:
        mask: ``[N, H, W]``, 1 = foreground.
        home: ``[N, 2]`` top-left corners (row, column) inside the image.
        height: Of the box in px, at most ``H``.
        width: Of the box in px, at most ``W``.

    Returns:
        ``[N, 2]``; of places equally near the upper one, then the left one.
    """
    place = home.copy()
    blocked = np.flatnonzero(mask[inside(home, height, width)].any(axis=(1, 2)))
    boxes = covered(mask[blocked], height, width)
    rows, columns = np.arange(boxes.shape[1]), np.arange(boxes.shape[2])
    down = (rows - home[blocked, 0, None]) ** 2
    along = (columns - home[blocked, 1, None]) ** 2
    far = down[:, :, None] + along[:, None, :]
    rank = boxes.astype(np.int64) * (len(rows) ** 2 + len(columns) ** 2) + far
    best = rank.reshape(len(blocked), len(rows) * len(columns)).argmin(axis=1)
    place[blocked] = np.stack(np.divmod(best, len(columns)), axis=1)
    return place


def displacement(draws: Draws, jitter: float, height: int, width: int) -> Ints:
    """A displacement of each image's mark in px, ``[N, 2]``, up to ``jitter`` of the shorter side each way."""
    reach = jitter * min(height, width)
    return np.rint((2 * draws.uniform("place", 2) - 1) * reach).astype(np.int64)


def homes(corner: Corner, moved: Ints, image: tuple[int, int], box: tuple[int, int]) -> Ints:
    """Top-left corners of boxes in a corner of the image, displaced and kept inside, ``[N, 2]``.

    Args:
        corner: Which one.
        moved: ``[N, 2]`` displacements in px.
        image: Height and width in px.
        box: Height and width in px.

    Raises:
        BenchmarkError: If the box is larger than the image.
    """
    room = np.subtract(image, box)
    if room.min() < 0:
        raise BenchmarkError(
            f"a mark of {box[0]} x {box[1]} px does not fit into an image of {image[0]} x {image[1]} px",
            do="Make the mark smaller (size), its text shorter, or the images larger.",
        )
    margin = round(MARGIN * min(image))
    row = room[0] - margin if corner.startswith("bottom") else margin
    column = room[1] - margin if corner.endswith("right") else margin
    return np.clip(np.array([row, column]) + moved, 0, room)


def inside(place: Ints, height: int, width: int) -> tuple[Ints, Ints, Ints]:
    """Index of the pixels of boxes: ``image[inside(place, h, w)]`` is ``[N, h, w, ...]``.

    Args:
        place: ``[N, 2]`` top-left corners (row, column).
        height: Of the boxes in px.
        width: Of the boxes in px.
    """
    rows = place[:, 0, None, None] + np.arange(height)[:, None]
    columns = place[:, 1, None, None] + np.arange(width)
    return np.arange(len(place))[:, None, None], rows, columns
