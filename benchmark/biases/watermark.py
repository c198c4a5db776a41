"""A transparent text all over the background tells the class, like the watermark of a picture agency.

The text of the code (as in :mod:`benchmark.biases.stamp`) is repeated in slanted rows, every second row shifted by
half. All codes share the rows and the distances in them. The strength is the opacity: 1 covers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.lettering import texts_of, write
from benchmark.biases.painted import Painted, blend
from benchmark.biases.places import displacement, pixels
from benchmark.biases.stamp import Text
from benchmark.seeding import Draws

FINE = 4
"""The pattern is sampled so many times finer, then averaged."""
SLANT = np.deg2rad(20)


@lru_cache(maxsize=4)
def pattern(texts: tuple[str, ...], size: int, height: int, width: int) -> Floats:
    """Opacity of the pattern of every text, ``[T, height, width]``; ``size`` is a capital's height in px.

    Raises:
        BenchmarkError: If two texts look alike at this size.
    """
    write(texts, size)  # finer letters than those that are seen would look different
    letters = write(texts, size * FINE)
    gap = size * FINE
    cell = letters.shape[1] + gap, letters.shape[2] + gap
    tile = np.pad(letters, ((0, 0), (0, gap), (0, gap)))
    y, x = np.mgrid[: height * FINE, : width * FINE].astype(np.float32)
    along, down = np.cos(SLANT) * x - np.sin(SLANT) * y, np.sin(SLANT) * x + np.cos(SLANT) * y
    line, row = np.divmod(np.floor(down).astype(np.int64), cell[0])
    column = (np.floor(along).astype(np.int64) + line % 2 * (cell[1] // 2)) % cell[1]
    drawn = np.empty((len(texts), height, width), np.float32)
    for one, picture in zip(tile, drawn, strict=True):
        picture[:] = one[row, column].reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    return drawn


class Watermark(Painted):
    """A text in rows, blended over the background."""

    class Settings(Painted.Settings):
        """The bias's YAML."""

        size: float = Field(0.2, gt=0, le=1, description="height of a letter as a fraction of the shorter side")
        jitter: float = Field(
            0.0, ge=0, le=1, description="largest displacement each way, as a fraction of the shorter side"
        )
        grey: int = Field(255, ge=0, le=255, description="its grey level: 255 is white, 0 black for bright images")
        texts: tuple[Text, ...] = Field((), description="what each code writes (default: letters, L and R first)")

    settings: Settings
    source = "after the copyright tags that Lapuschkin et al. 2019 found in PASCAL VOC, Nature Communications 10, 1096"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        height, width = mask.shape[1:]
        texts = texts_of(codes, self.settings.texts, "watermark")
        reach = int(np.ceil(self.settings.jitter * min(height, width)))
        size = pixels(self.settings.size, height, width)
        whole = pattern(texts, size, height + 2 * reach, width + 2 * reach)
        pieces = np.lib.stride_tricks.sliding_window_view(whole, (height, width), axis=(1, 2))
        row, column = (reach + displacement(draws, self.settings.jitter, height, width)).T
        opacity = pieces[code, row, column]
        return blend(image, self.settings.grey, self.settings.strength * opacity[..., None]), opacity > 0
