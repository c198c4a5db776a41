r"""A frame along the image's edge tells the class, like the collimator's edge or the film holder of an X-ray.

``colour``: the frame has the colour of its code (:mod:`benchmark.biases.palette`; grey levels on one channel).
``dashes``: the frame is dashed, white on black; code ``k`` of ``K`` has the ``k``-th of ``K`` numbers of dashes, spread
geometrically from 2 to one dash in four pixels of the way round, where each image starts elsewhere (by its id).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.painted import Painted, blend, check_number
from benchmark.biases.palette import colours
from benchmark.biases.places import pixels
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


@lru_cache(maxsize=8)
def rings(height: int, width: int) -> tuple[Ints, Floats]:
    """Distance of each pixel from the nearest edge in px, and how far round the image it lies, clockwise in [0, 1).

    Round: the way along the edge to the point nearest to the pixel, from the top left corner.
    """
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    sides = np.stack(np.broadcast_arrays(row, width - 1 - column, height - 1 - row, column))
    way = np.stack(
        np.broadcast_arrays(
            column, width - 1 + row, 2 * (width - 1) + height - 1 - column, 2 * (width + height - 2) - row
        )
    )
    nearest = sides.argmin(axis=0)[None]
    around = np.take_along_axis(way, nearest, axis=0)[0] / (2 * (width + height - 2))
    return sides.min(axis=0), (around % 1).astype(np.float32)


def dashes(codes: int, height: int, width: int) -> Ints:
    """Number of dashes of each code, ``[codes]``, all different.

    Raises:
        BenchmarkError: If so many numbers do not fit between 2 and a quarter of the way round in px.
    """
    most = (height + width - 2) // 2
    check_number(codes, most - 1, "border with dashes", "Set codes in the bias's YAML, or tell by colour.")
    numbers = np.rint(np.geomspace(2, most, codes)).astype(np.int64)
    for k in range(1, codes):  # rounding makes the smallest equal
        numbers[k] = max(numbers[k], numbers[k - 1] + 1)
    return numbers


class Border(Painted):
    """A frame, blended into the image."""

    class Settings(Painted.Settings):
        """The bias's YAML."""

        size: float = Field(0.08, gt=0, lt=0.5, description="width of the frame as a fraction of the shorter side")
        jitter: float = Field(
            0.0, ge=0, lt=0.5, description="largest distance from the edge, as a fraction of the shorter side"
        )
        tells: Literal["colour", "dashes"] = Field("colour", description="what of the frame tells the code")

    settings: Settings
    source = "this project, after the borders and collimator edges that networks read in X-rays"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        height, width = mask.shape[1:]
        thick = pixels(self.settings.size, height, width)
        if self.settings.size + self.settings.jitter >= 0.5:
            raise BenchmarkError(
                "size + jitter of the border",
                got=self.settings.size + self.settings.jitter,
                expected="less than 0.5, so that the frame stays a frame",
            )
        depth, around = rings(height, width)
        inset = np.rint(draws.uniform("place") * self.settings.jitter * min(height, width)).astype(np.int64)
        frame = (depth >= inset[:, None, None]) & (depth < inset[:, None, None] + thick)
        if self.settings.tells == "colour":
            colour: Floats = colours(codes, image.shape[-1], "border")[code][:, None, None, :]
        else:
            number = dashes(codes, height, width)[code].astype(np.float32)
            start = draws.uniform("start").astype(np.float32)
            turns = around * number[:, None, None] + start[:, None, None]
            colour = np.float32(255) * (turns % 1 < 0.5)[..., None]
        return blend(image, colour, self.settings.strength), frame
