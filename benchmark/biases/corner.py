"""A small bright mark at a class-coded place on the border: the least conspicuous shortcut there is.

Mark ``k`` of ``K`` is a square placed at the fraction ``k/K`` of the way round the image, clockwise from the
top-left corner; four marks are the four corners. Where the foreground reaches into a place, the mark slides along the
border to the nearest free one (clockwise first), less than half-way to its neighbours, so that no two codes share a
place; where none is free, the part of the mark that lies on the background is painted at its own place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import maximum_filter1d

from benchmark.api import Ints, PlantedBias, UInt8
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


def border(height: int, width: int, size: int) -> Ints:
    """Top-left corners of all squares that touch the border, clockwise from the top left, ``[P, 2]`` (row, column)."""
    bottom, right = height - size, width - size
    top_row = [(0, column) for column in range(right)]
    right_column = [(row, right) for row in range(bottom)]
    bottom_row = [(bottom, column) for column in range(right, 0, -1)]
    left_column = [(row, 0) for row in range(bottom, 0, -1)]
    return np.array(top_row + right_column + bottom_row + left_column)


def slides(spacing: float) -> list[int]:
    """Steps along the border in the order of trial: 0, +1, -1, +2, ... below half the spacing of the codes.

    Neighbours are the spacing rounded down apart, or one more: the step that two could share is the clockwise one's.
    """
    steps = [0]
    for step in range(1, int(np.ceil(spacing / 2))):
        steps += [step, -step] if 2 * step < int(spacing) else [step]
    return steps


def taken(mask: UInt8, places: Ints, size: int) -> NDArray[np.bool_]:
    """Which squares meet the foreground, ``[N, P]``, for masks ``[N, H, W]`` and top-left corners ``[P, 2]``."""
    centred = maximum_filter1d(maximum_filter1d(mask, size, axis=1), size, axis=2)  # of the window around a pixel
    met: NDArray[np.bool_] = centred[:, places[:, 0] + size // 2, places[:, 1] + size // 2] != 0
    return met


class Corner(PlantedBias):
    """A square blended towards white."""

    class Settings(PlantedBias.Settings):
        """The bias's YAML."""

        size: float = Field(0.07, gt=0, le=0.5, description="side of the square, in shorter sides of the image")
        jitter: float = Field(
            0.0, ge=0, le=1, description="largest shift along the border, in halves of the distance between codes"
        )

    settings: Settings
    source = "this project, after the MNIST bias of Faster ISNet (arXiv 2401.08409)"

    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws) -> tuple[UInt8, UInt8]:
        mark = self.marks(mask, code, codes, draws)
        hidden = ~mark.any(axis=(1, 2))
        if hidden.any():
            row = int(np.flatnonzero(hidden)[0])
            raise BenchmarkError(
                f"image number {row} has no background where mark {int(code[row])} belongs",
                got="foreground in every pixel of its place",
                expected="at least one background pixel there",
                do="Use a smaller mask, a larger mark (size) or another bias.",
            )
        where = np.nonzero(mark)
        planted, dark = image.copy(), image[where].astype(np.float32)
        planted[where] = np.rint(dark + self.settings.strength * (255 - dark)).astype(np.uint8)
        return planted, mark.astype(np.uint8)

    def marks(self, mask: UInt8, code: Ints, codes: int, draws: Draws) -> NDArray[np.bool_]:
        """Where each mark goes: ``[N, H, W]``, never on the foreground.

        Raises:
            BenchmarkError: If so many marks do not fit round the image.
        """
        count, height, width = mask.shape
        size = max(1, round(self.settings.size * min(height, width)))
        if min(height, width) < 2 * size or 2 * (height + width - 2 * size) < 2 * codes * size:
            raise BenchmarkError(
                f"{codes} marks of {size} px do not fit round an image of {height} x {width} px",
                do="Make the mark smaller (size) or the images larger.",
            )
        places = border(height, width, size)
        spacing = len(places) / codes
        home = np.rint(code * len(places) / codes).astype(np.int64)
        steps = np.array(slides(spacing))
        wish = self.settings.jitter * (2 * draws.uniform("jitter") - 1) * steps.max()
        nearest = np.argsort(np.abs(steps - np.rint(wish)[:, None]), axis=1, kind="stable")
        trial = (home[:, None] + steps[nearest]) % len(places)
        free = ~np.take_along_axis(taken(mask, places, size), trial, axis=1)
        chosen = places[trial[np.arange(count), free.argmax(axis=1)]]  # argmax: the first free one, else the wish
        mark = np.zeros(mask.shape, dtype=bool)
        rows = np.arange(count)
        for down in range(size):
            for along in range(size):
                mark[rows, chosen[:, 0] + down, chosen[:, 1] + along] = True
        mark &= mask == 0
        return mark
