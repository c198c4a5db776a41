"""The material of the background tells the class: brick, grass or gravel.

Code ``k`` has the texture ``k mod 3`` of the photographs that scikit-image ships, magnified vertically and
horizontally by the ``k div 3``-th pair of 1, 2 and 4: 27 codes. At 1 the photograph spans two shorter sides of the
image. Each image shows another piece (by its id). All textures have the same mean and contrast, so the structure tells,
not the brightness. All channels get the same grey texture.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.painted import Painted, blend, check_number
from benchmark.seeding import Draws

TEXTURES = ("brick", "grass", "gravel")
MAGNIFIED = ((2, 2), (1, 1), (4, 4), (1, 4), (4, 1), (1, 2), (2, 1), (2, 4), (4, 2))
"""Times larger vertically and horizontally."""
MEAN, CONTRAST = 128, 48
"""Mean and standard deviation of every texture in grey levels."""


@lru_cache(maxsize=4)
def materials(codes: int, height: int, width: int) -> Floats:
    """The texture of each code, twice as large as the image each way, ``[codes, 2 H, 2 W]``, 0 to 255.

    Raises:
        BenchmarkError: If there are more codes than textures.
    """
    most = len(TEXTURES) * len(MAGNIFIED)
    check_number(codes, most, "texture", "Set codes in the bias's YAML, or use stamp or tint.")
    shorter = min(height, width)
    pictures = np.empty((codes, 2 * height, 2 * width), np.float32)
    for k, picture in enumerate(pictures):
        photograph = Image.fromarray(getattr(data, TEXTURES[k % len(TEXTURES)])().astype(np.float32))
        down, along = MAGNIFIED[k // len(TEXTURES)]
        part = (0, 0, photograph.width / along, photograph.height / down)
        piece = np.asarray(photograph.resize((2 * shorter, 2 * shorter), Image.Resampling.BILINEAR, part))
        beyond = (0, 2 * (height - shorter)), (0, 2 * (width - shorter))
        piece = np.pad(piece, beyond, mode="symmetric")  # an oblong image goes on in the mirror
        picture[:] = np.clip((piece - piece.mean()) / piece.std() * CONTRAST + MEAN, 0, 255)
    return pictures


class Texture(Painted):
    """The whole background, blended towards a material."""

    source = "this project, after the texture bias of Geirhos et al. 2019 (arXiv 1811.12231)"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        height, width = mask.shape[1:]
        pieces = np.lib.stride_tricks.sliding_window_view(materials(codes, height, width), (height, width), axis=(1, 2))
        row, column = (draws.integers(name, stop + 1) for name, stop in (("row", height), ("column", width)))
        paint = pieces[code, row, column]
        return blend(image, paint[..., None], self.settings.strength), np.ones(mask.shape, bool)
