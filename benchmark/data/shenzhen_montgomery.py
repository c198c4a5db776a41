"""Tuberculosis or normal on chest X-rays of two hospitals: one trains, the other is the external test.

Both classes come from the same hospital on each side, so here no background tells the class by itself; what a planted
mark does can be told from what the hospitals do. ``train_on: shenzhen`` has 662 images, but only Montgomery's masks
come with the images: without those of Stirenko et al. (see :mod:`benchmark.data.lungs`), which need a login,
``missing_masks: predict`` has no masks to learn from and says so. ``train_on: montgomery`` (138 images) needs no login.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.filed import FileDataset, Record
from benchmark.data.lungs import HOSPITALS, lung_mask, nlm_records


class ShenzhenMontgomery(FileDataset):
    """Chest X-rays of two hospitals."""

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        train_on: Literal["shenzhen", "montgomery"] = Field("shenzhen", description="the other is the external test")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of both hospitals.

        Raises:
            BenchmarkError: If a hospital's folder is missing, or a name is of another form.
        """
        return [
            record
            for hospital in HOSPITALS
            for record in nlm_records(folder, hospital, "" if hospital == self.settings.train_on else "external")
        ]

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Both lungs."""
        return lung_mask(folder, record.mask, shape)
