r"""What all painted marks share.

.. math:: x' = x + s \, a \, (t - x) \ \text{on the mark, else } x

``s`` is the strength, ``t`` what the recipe paints and ``a`` how opaque it is. The mark is where the recipe paints and
no foreground lies, so it does not depend on the strength, and no recipe can touch the foreground.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints, PlantedBias, UInt8
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

PIXELS = 1 << 19
"""Numbers that are worked on at once: few enough that they stay in the processor's cache."""


class Painted(PlantedBias):
    """A bias that paints a few images at a time."""

    @abstractmethod
    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Paints without regard to the foreground, which the caller cuts out.

        Args:
            image: ``[n, H, W, C]``.
            mask: ``[n, H, W]``, 1 = foreground.
            code: ``[n]`` in ``[0, codes)``.
            codes: Number of different marks.
            draws: Of these ``n`` images.

        Returns:
            Grey levels ``[n, H, W, C]`` in [0, 255], not yet rounded, and where the recipe paints, ``[n, H, W]``.
        """

    def plant(self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws) -> tuple[UInt8, UInt8]:
        check_codes(code, codes)
        planted, mark = image.copy(), np.zeros(mask.shape, np.uint8)
        for rows in blocks(image):
            level, painted = self.paint(image[rows], mask[rows], code[rows], codes, draws.take(rows))
            seen = painted & (mask[rows] == 0)
            np.copyto(planted[rows], np.rint(level), casting="unsafe", where=seen[..., None])
            mark[rows] = seen
        check_seen(mark, code)
        return planted, mark


def blocks(image: UInt8) -> Iterator[slice]:
    """Rows that are worked on at once."""
    step = max(1, PIXELS // int(np.prod(image.shape[1:])))
    for start in range(0, len(image), step):
        yield slice(start, start + step)


def blend(image: UInt8, paint: Floats | float, opacity: Floats | float) -> Floats:
    """``x + a (t - x)``; paint and opacity broadcast against ``[n, H, W, C]``."""
    level = image.astype(np.float32)
    change = np.asarray(paint, np.float32) - level
    change *= np.asarray(opacity, np.float32)
    level += change
    return level


def check_codes(code: Ints, codes: int) -> None:
    """Refuses a code that is none of ``[0, codes)``.

    Raises:
        BenchmarkError: Naming the first image and its code.
    """
    wrong = np.flatnonzero((code < 0) | (code >= codes))
    if len(wrong):
        raise BenchmarkError(
            f"mark of image number {wrong[0]}", got=int(code[wrong[0]]), expected=f"a code from 0 to {codes - 1}"
        )


def check_number(codes: int, most: int, what: str, do: str) -> None:
    """Refuses more codes than a recipe can tell apart.

    Raises:
        BenchmarkError: Naming the most that it can.
    """
    if codes > most:
        raise BenchmarkError(f"number of codes of {what}", got=codes, expected=f"{most} at most", do=do)


def check_seen(mark: UInt8, code: Ints) -> None:
    """Refuses an image without a mark.

    Raises:
        BenchmarkError: Naming the first image without one.
    """
    hidden = np.flatnonzero(~mark.any(axis=(1, 2)))
    if len(hidden):
        row = int(hidden[0])
        raise BenchmarkError(
            f"image number {row} has no background where mark {int(code[row])} belongs",
            got="foreground in every pixel of its place",
            expected="at least one background pixel there",
            do="Use smaller masks, a larger mark (size) or another bias.",
        )


def check_different(opacity: Floats, what: str, do: str) -> None:
    """Refuses small marks of which two look alike: a twentieth of the ink, moved, makes one the other.

    How dark they are does not count: at one pixel all forms look alike.

    Args:
        opacity: ``[K, h, w]`` of each code, 0 to 1.
        what: Their name.
        do: What helps.

    Raises:
        BenchmarkError: Naming the first two that look alike.
    """
    share = opacity.reshape(len(opacity), -1)
    share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-6)
    for k in range(len(share) - 1):
        alike = np.flatnonzero(np.abs(share[k + 1 :] - share[k]).sum(axis=1) <= 2 * 0.05)
        if len(alike):
            height, width = opacity.shape[1:]
            raise BenchmarkError(
                f"marks {k} and {k + 1 + alike[0]} of {what} look alike in {height} x {width} px", do=do
            )
