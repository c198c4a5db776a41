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

from benchmark.api import Bias, Ints, UInt8
from benchmark.errors import BenchmarkError


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


class Corner(Bias):
    """A square blended towards white."""

    class Settings(Bias.Settings):
        """The bias's YAML."""

        size_px: int = Field(2, ge=1)
        strength: float = Field(1.0, ge=0, le=1, description="0 leaves the image alone, 1 paints white")

    settings: Settings
    source = "this project, after the MNIST bias of Faster ISNet (arXiv 2401.08409)"

    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
        mark = self.marks(mask, code, codes)
        hidden = ~mark.any(axis=(1, 2))
        if hidden.any():
            row = int(np.flatnonzero(hidden)[0])
            raise BenchmarkError(
                f"image number {row} has no background where mark {int(code[row])} belongs",
                got="foreground in every pixel of its place",
                expected="at least one background pixel there",
                do="Use a smaller mask, a larger mark (size_px) or another bias.",
            )
        white = np.rint(image + self.settings.strength * (255.0 - image)).astype(np.uint8)
        return np.where(mark[..., None], white, image), mark.astype(np.uint8)

    def marks(self, mask: UInt8, code: Ints, codes: int) -> NDArray[np.bool_]:
        """Where each mark goes: ``[N, H, W]``, never on the foreground.

        Raises:
            BenchmarkError: If so many marks do not fit round the image.
        """
        (count, height, width), size = mask.shape, self.settings.size_px
        if min(height, width) < 2 * size or 2 * (height + width - 2 * size) < 2 * codes * size:
            raise BenchmarkError(
                f"{codes} marks of {size} px do not fit round an image of {height} x {width} px",
                do="Make the mark smaller (size_px) or the images larger.",
            )
        places = border(height, width, size)
        home = np.rint(code * len(places) / codes).astype(np.int64)
        trial = (home[:, None] + np.array(slides(len(places) / codes))) % len(places)
        windows = np.lib.stride_tricks.sliding_window_view(mask, (size, size), axis=(1, 2))
        taken = np.asarray(windows.any(axis=(-2, -1)))[:, places[:, 0], places[:, 1]]
        free = ~np.take_along_axis(taken, trial, axis=1)
        chosen = places[trial[np.arange(count), free.argmax(axis=1)]]  # argmax: the first free one, else home
        rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
        down, along = rows - chosen[:, 0, None, None], columns - chosen[:, 1, None, None]
        inside: NDArray[np.bool_] = (down >= 0) & (down < size) & (along >= 0) & (along < size) & (mask == 0)
        return inside
