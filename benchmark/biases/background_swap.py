r"""Another photograph behind the object tells the class.

.. math:: x' = M \odot x + (1 - M) \odot (x + s \, (b - x))

``b`` is a piece of a photograph of the code's group: which photograph, which piece and whether it is mirrored depends
on the image's id. In the words of ImageNet-9's backgrounds challenge the variant ``iid`` is ``mixed_same`` (a
background of the image's own class), ``balanced`` is ``mixed_rand`` (of a random class), and ``deceiving`` is
``mixed_rand`` without the own class, as ``mixed_next``, which always takes the next class's. The challenge takes
backgrounds from other images of the data set and tiles the hole that their object leaves. Here they come from a bank
that belongs to no image, so nothing has to be filled, and an image stays what it is whatever other images there are.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from benchmark.api import Floats, Ints, UInt8
from benchmark.biases.backgrounds import bank
from benchmark.biases.painted import Painted, blend
from benchmark.paths import data_root
from benchmark.seeding import Draws


class BackgroundSwap(Painted):
    """The whole background, blended towards a photograph."""

    class Settings(Painted.Settings):
        """The bias's YAML."""

        folder: str = Field(
            "",
            description="folder of backgrounds below the data root, one folder a code "
            "(default: 12 groups of photographs that scikit-image ships)",
        )
        photographs: int = Field(32, ge=1, description="most photographs of a code that are taken from the folder")

        @field_validator("folder")
        @classmethod
        def _below(cls, folder: str) -> str:
            path = PurePosixPath(folder)
            if path.is_absolute() or ".." in path.parts or "\\" in folder:
                raise ValueError(f"{folder!r} is not below the data root: name it relative to that, without '..'")
            return folder

    settings: Settings
    source = "Xiao, Engstrom, Ilyas and Madry 2021, ICLR (arXiv 2006.09994)"

    def paint(
        self, image: UInt8, mask: UInt8, code: Ints, codes: int, draws: Draws
    ) -> tuple[Floats, NDArray[np.bool_]]:
        _, height, width, channels = image.shape
        folder = data_root() / self.settings.folder if self.settings.folder else None
        photographs, begin = bank(folder, self.settings.photographs, codes, height, width, channels)
        which = begin[code] + draws.integers("photograph", begin[code + 1] - begin[code])
        pieces = np.lib.stride_tricks.sliding_window_view(photographs, (height, width), axis=(2, 3))
        row, column = (draws.integers(name, pieces.shape[axis]) for name, axis in (("row", 2), ("column", 3)))
        paint = pieces[which, :, row, column].astype(np.float32)
        mirrored = draws.uniform("mirror") < 0.5
        paint[mirrored] = paint[mirrored, :, :, ::-1]
        return blend(image, paint.transpose(0, 2, 3, 1), self.settings.strength), np.ones(mask.shape, bool)
