"""The digits of MNIST and the garments of Fashion-MNIST: grey images of 28 x 28 in IDX files.

The test images are the official ones; validation images are drawn from the official training images, each class in its
share. Foreground is what is brighter than a threshold.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.ndimage import binary_fill_holes

from benchmark.api import Index, Ints, UInt8
from benchmark.data.downloaded import Downloaded
from benchmark.data.idx import read_idx
from benchmark.data.masks import ink_mask
from benchmark.data.splits import stratified_split
from benchmark.errors import BenchmarkError
from benchmark.seeding import numpy_stream

FILES = {"train": "train", "test": "t10k"}
"""Our name of an official part, and how its files begin."""
CROSS = np.zeros((3, 3, 3), dtype=bool)
CROSS[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
"""The four neighbours of a pixel, and none in another image."""


class MNIST(Downloaded):
    """70,000 digits. The writers of single images are not in these files, so each image is its own unit."""

    class Settings(Downloaded.Settings):
        """The data set's YAML."""

        version: int = Field(1, description="raise it when the numbers on this data set change on purpose")
        val: int = Field(5000, gt=0, description="number of training images that are for validation")
        split_seed: int = Field(0, description="of the draw of the validation images")
        mask_threshold: float = Field(0.1, ge=0, lt=1, description="ink is brighter than this, of full brightness")
        mask_dilate_px: int = Field(1, ge=0, description="the mask grows by so many pixels")
        mask_fill_holes: bool = Field(False, description="dark parts that ink encloses are foreground, too")

    settings: Settings
    collection: ClassVar[str] = "mnist"
    names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def arrays(self, folder: Path) -> tuple[UInt8, UInt8, Ints]:
        """Images ``[N, 28, 28]``, labels ``[N]`` and how many images each official part has; read once and kept.

        Raises:
            BenchmarkError: If a file is missing, damaged or of another form, or the files do not fit each other.
        """
        kept: dict[Path, tuple[UInt8, UInt8, Ints]] = self.__dict__.setdefault("_arrays", {})
        if folder not in kept:
            images, labels = [], []
            for start in FILES.values():
                image = read_idx(folder / f"{start}-images-idx3-ubyte.gz", (28, 28))
                label = read_idx(folder / f"{start}-labels-idx1-ubyte.gz", ())
                if len(image) != len(label):
                    raise BenchmarkError(
                        f"{start}-labels-idx1-ubyte.gz",
                        got=f"{len(label)} labels",
                        expected=f"{len(image)}, one for every image of {start}-images-idx3-ubyte.gz",
                        do="Fetch the data set again.",
                    )
                if len(label) and label.max() >= len(self.names):
                    raise BenchmarkError(
                        f"label of image {int(label.argmax())} in {start}-labels-idx1-ubyte.gz",
                        got=int(label.max()),
                        expected=f"0 to {len(self.names) - 1}",
                        do="Fetch the data set again.",
                    )
                images.append(image)
                labels.append(label)
            counts = np.array([len(label) for label in labels], dtype=np.int64)
            kept[folder] = np.concatenate(images), np.concatenate(labels), counts
        return kept[folder]

    def index(self, folder: Path) -> Index:
        s = self.settings
        _, labels, counts = self.arrays(folder)
        label = labels.astype(np.int64)
        official = np.repeat(np.array(list(FILES)), counts)
        ids = np.array([f"{part}_{row:05d}" for part, n in zip(FILES, counts, strict=True) for row in range(n)])
        split = official.astype("<U8")
        pool = int(counts[0])
        drawn = {"val": s.val, "train": pool - s.val}
        split[:pool] = stratified_split(label[:pool], drawn, numpy_stream(s.split_seed, "split"))
        return Index(
            label=label,
            unit=ids,
            source=np.full(len(label), self.collection),
            split=split,
            id=ids,
            mask_kind=np.full(len(label), "ink"),
        )

    def pixels(self, folder: Path, index: Index, rows: Ints) -> tuple[UInt8, UInt8]:
        s = self.settings
        images, _, counts = self.arrays(folder)
        start = dict(zip(FILES, (0, int(counts[0])), strict=True))
        parts = (name.split("_") for name in index.id[rows].tolist())
        places = np.array([start[part] + int(row) for part, row in parts], dtype=np.int64)
        image = images[places][..., None]
        mask = ink_mask(image, s.mask_threshold, s.mask_dilate_px)
        if s.mask_fill_holes:
            mask = binary_fill_holes(mask, CROSS).astype(np.uint8)
        return image, mask

    def classes(self, folder: Path) -> tuple[str, ...]:
        return self.names


class FashionMNIST(MNIST):
    """70,000 garments: bright on black, with dark parts inside."""

    class Settings(MNIST.Settings):
        """The data set's YAML."""

        mask_threshold: float = Field(0.02, ge=0, lt=1, description="brighter than this, of full brightness")
        mask_dilate_px: int = Field(0, ge=0, description="the mask grows by so many pixels")
        mask_fill_holes: bool = Field(True, description="dark parts that bright ones enclose are foreground, too")

    collection = "fashion_mnist"
    names = (
        "t_shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle_boot",
    )
