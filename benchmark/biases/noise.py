r"""A faint wave over the background tells the class: a frequency that no eye notices.

.. math:: x' = x + 127.5 \, s \, \sin(2 \pi f_k (\cos\theta_k \, u + \sin\theta_k \, v) + \varphi)

``u`` and ``v`` are the pixel's column and row as fractions of the shorter side, ``f_k`` and ``\theta_k`` the frequency
and direction of the code, ``\varphi`` the phase of the image (by its id). All channels get the same wave; grey levels
are cut at 0 and 255, so on black only its upper half is left. Up to eight codes differ in direction alone, evenly over
half a turn. More codes share as few frequencies as they need, each the square root of two times the one before, the
longest wave of length ``size``, the shortest of three pixels: 24 codes at 28 px, 72 at 224 px with ``size`` 0.25.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.painted import Painted, check_number
from benchmark.seeding import Draws

DIRECTIONS = 8
SHORTEST_PX = 3


def waves(codes: int, size: float, shorter: int) -> tuple[Floats, Floats]:
    """Frequency (waves in the shorter side) and direction (radians) of each code, ``[codes]`` each.

    Raises:
        BenchmarkError: If so many cannot be told apart in an image of this size.
    """
    bands = 1 + int(np.floor(2 * np.log2(max(size * shorter / SHORTEST_PX, 0.5)) + 1e-9))
    check_number(
        codes,
        DIRECTIONS * max(bands, 0),
        f"noise of waves of {size * shorter:.3g} px and shorter",
        "Make the waves longer (size), the images larger, or set fewer codes.",
    )
    each = -(-codes // -(-codes // DIRECTIONS))  # codes a frequency, as even as can be
    band, direction = np.divmod(np.arange(codes), each)
    return 2 ** (band / 2) / size, np.pi * direction / each


@lru_cache(maxsize=8)
def tables(codes: int, size: float, height: int, width: int) -> tuple[Floats, Floats]:
    """Sine and cosine of every code's wave at phase 0, ``[codes, H, W]`` each."""
    shorter = min(height, width)
    frequency, direction = (one[:, None, None] for one in waves(codes, size, shorter))
    row, column = np.arange(height)[:, None] / shorter, np.arange(width)[None, :] / shorter
    angle = 2 * np.pi * frequency * (np.cos(direction) * column + np.sin(direction) * row)
    return np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)


class Noise(Painted):
    """A sine wave added to the background."""

    class Settings(Painted.Settings):
        """The bias's YAML."""

        size: float = Field(0.25, gt=0, le=1, description="length of the longest wave, in shorter sides")

    settings: Settings
    source = "this project, after the frequency shortcuts of Wang et al. 2023 (arXiv 2307.09829)"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        sine, cosine = tables(codes, self.settings.size, *mask.shape[1:])
        phase = (2 * np.pi * draws.uniform("phase")).astype(np.float32)[:, None, None]
        height = np.float32(127.5 * self.settings.strength)
        wave = sine[code] * (height * np.cos(phase)) + cosine[code] * (height * np.sin(phase))
        level = np.clip(image + wave[..., None], 0, 255)
        return level, np.ones(mask.shape, bool)
