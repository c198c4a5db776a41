"""One look at every file: hashes, size, state of the mask, and the image in 32 x 32 cells.

A cell belongs to the background if neither it nor a cell beside it holds a pixel of foreground. So no brightness of the
object leaks through a soft edge, a resize, or a mask that is drawn a little too small.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from benchmark.api import UInt8
from benchmark.data.decode import read_picture, to_channels
from benchmark.data.inside import Inside
from benchmark.data.threads import in_threads
from benchmark.errors import BenchmarkError

CELLS = 32
MASK_STATES = ("none", "good", "empty", "full", "other size", "values 0 and 1", "unreadable")


@dataclass
class Look:
    """What the files of a table are like.

    Attributes:
        error: By row: why an image cannot be read; empty.
        sha256: By row, of the file; empty where it cannot be read.
        shape: ``[N, 3]`` height, width and channels.
        phash: ``[N]`` 64 bits that re-compression and scaling hardly change.
        cells: ``[N, 32, 32, 3]`` the image, each cell the mean of its pixels.
        hidden: ``[N, 32, 32]`` cells that are not background; all, where there is no good mask.
        covered: ``[N, 32, 32]`` share of foreground of each cell, 0 to 255.
        mask: By row, of :data:`MASK_STATES`.
    """

    error: list[str]
    sha256: list[str]
    shape: NDArray[np.int64]
    phash: NDArray[np.uint64]
    cells: UInt8
    hidden: NDArray[np.bool_]
    covered: UInt8
    mask: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, count: int) -> Look:
        square = (count, CELLS, CELLS)
        return cls(
            error=[""] * count,
            sha256=[""] * count,
            shape=np.zeros((count, 3), np.int64),
            phash=np.zeros(count, np.uint64),
            cells=np.zeros((*square, 3), np.uint8),
            hidden=np.ones(square, bool),
            covered=np.zeros(square, np.uint8),
            mask=["none"] * count,
        )

    def readable(self) -> NDArray[np.bool_]:
        return np.array([not text for text in self.error], dtype=bool)


def look_at(folder: Path, files: Sequence[str], masks: Sequence[str]) -> Look:
    """Reads every image and mask of a folder.

    Args:
        folder: They lie below it.
        files: ``[N]`` images.
        masks: ``[N]`` masks, empty = none.
    """
    look, inside = Look.empty(len(files)), Inside(folder)

    def fill(row: int) -> None:
        try:
            if inside.missing([files[row]], "file"):
                raise BenchmarkError(f"image {files[row]} is missing")
            content = (folder / files[row]).read_bytes()
            pixels = read_picture(io.BytesIO(content), files[row])
        except (BenchmarkError, OSError) as error:
            look.error[row] = str(error)
            return
        look.sha256[row] = hashlib.sha256(content).hexdigest()
        look.shape[row] = pixels.shape
        look.phash[row] = perceptual_hash(pixels)
        look.cells[row] = in_cells(to_channels(pixels, 3))
        if masks[row]:
            look.mask[row] = look_at_mask(look, row, folder, inside, masks[row])

    in_threads(fill, range(len(files)))
    return look


def look_at_mask(look: Look, row: int, folder: Path, inside: Inside, name: str) -> str:
    """Fills in what a mask says; returns its state."""
    try:
        if inside.missing([name], "mask"):
            return "unreadable"
        pixels = to_channels(read_picture(folder / name, name), 1)[..., 0]
    except (BenchmarkError, OSError):
        return "unreadable"
    if pixels.shape != tuple(look.shape[row, :2]):
        return "other size"
    if pixels.max() == 1:
        return "values 0 and 1"
    mask = pixels > 127
    if not mask.any() or mask.all():
        return "full" if mask.any() else "empty"
    look.covered[row] = in_cells(mask.astype(np.uint8) * 255)
    touched = in_cells(mask.astype(np.float32)) > 0
    look.hidden[row] = binary_dilation(touched, np.ones((3, 3), bool))
    return "good"


def in_cells(pixels: NDArray[Any]) -> NDArray[Any]:
    """The mean of each of 32 x 32 cells."""
    return np.asarray(Image.fromarray(pixels).resize((CELLS, CELLS), Image.Resampling.BOX))


def perceptual_hash(pixels: UInt8) -> np.uint64:
    """The signs of the 64 lowest frequencies of a discrete cosine transform (imagehash's ``phash``), as a number."""
    bits = imagehash.phash(Image.fromarray(to_channels(pixels, 1)[..., 0])).hash
    return np.uint64(int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big"))
