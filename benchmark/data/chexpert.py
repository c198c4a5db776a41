"""CheXpert: chest X-rays of Stanford Hospital, one of 14 findings against its absence. It needs a registration.

Labels are read from reports by a program: 1 present, 0 absent, -1 uncertain, nothing where the report is silent. What
an uncertain or a silent report counts as is a setting, for no choice is right: its authors train on several. The images
of ``valid.csv``, which three radiologists labelled, are the test; validation patients are drawn from ``train.csv``. The
unit is the patient.

*Source* is the view: AP films are mostly taken at the bedside of sicker patients, so the view is a natural shortcut for
many findings, for the bias ``source`` to choose from. Lateral images are left out.

There are no lung masks. Draw them for a part of the images (white is lung) and give them as ``lung_masks.zip``, with
the names of the images, such as ``train/patient00001/study1/view1_frontal.png``: a U-Net then predicts the others and
the pack states how well. Without any, packing refuses.

Source: Irvin et al., CheXpert, AAAI 2019, arXiv 1901.07031.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.csv_rows import read_csv
from benchmark.data.filed import Record
from benchmark.data.homes import home_of
from benchmark.data.lungs import lung_mask
from benchmark.data.official import AGAIN, OfficialTest
from benchmark.errors import BenchmarkError

Finding = Literal[
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]
ROOT = "CheXpert-v1.0-small"
HOMES = (f"chexpert/{ROOT}", "chexpert")
MASKS = "lung_masks"
LISTS = {"train.csv": "", "valid.csv": "test"}
PRESENT, ABSENT = "present", "absent"
IMAGE = re.compile(rf"{re.escape(ROOT)}/((?:train|valid)/(patient\d+)/study\d+/[^/]+)\.jpg")


class CheXpert(OfficialTest):
    """Frontal chest X-rays of one hospital."""

    class Settings(OfficialTest.Settings):
        """The data set's YAML."""

        finding: Finding = Field("Pleural Effusion", description="the class 'present' against 'absent'")
        uncertain: Literal["drop", "present", "absent"] = Field(
            "drop", description="what an uncertain report counts as"
        )
        silent: Literal["drop", "absent"] = Field("absent", description="what a report that says nothing counts as")
        views: tuple[Literal["AP", "PA"], ...] = Field(("AP", "PA"), min_length=1, description="frontal views to keep")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The frontal images of both lists.

        Raises:
            BenchmarkError: If a list is missing or of another form, or a label is none of 1, 0, -1 and nothing.
        """
        home = home_of(folder, HOMES, "train.csv")
        columns = ("Path", "Frontal/Lateral", "AP/PA", self.settings.finding)
        records = []
        for name, split in LISTS.items():
            for place, row in read_csv(folder, f"{home}/{name}", columns):
                label = self.label(row[self.settings.finding], place)
                if row["Frontal/Lateral"] == "Frontal" and row["AP/PA"] in self.settings.views and label:
                    records.append(self.record(folder, home, place, row, label, split))
        return records

    def label(self, value: str, place: str) -> str:
        """The class, or nothing for an image that is left out."""
        s = self.settings
        meant = {"": s.silent, "1": PRESENT, "0": ABSENT, "-1": s.uncertain}.get(value.removesuffix(".0"))
        if meant is None:
            raise BenchmarkError(f"{s.finding} in {place}", got=value, expected="1.0, 0.0, -1.0 or nothing", do=AGAIN)
        return "" if meant == "drop" else meant

    def record(self, folder: Path, home: str, place: str, row: Mapping[str, str], label: str, split: str) -> Record:
        """One image."""
        match = IMAGE.fullmatch(row["Path"])
        if match is None:
            raise BenchmarkError(
                f"Path in {place}",
                got=row["Path"],
                expected=f"{ROOT}/train/patient00001/study1/view1_frontal.jpg or the like",
                do=AGAIN,
            )
        mask = f"{MASKS}/{match[1]}.png"
        return Record(
            file=f"{home}/{match[1]}.jpg",
            label=label,
            source=f"chexpert_{row['AP/PA'].lower()}",
            split=split,
            unit=match[2],
            mask=mask if (folder / mask).is_file() else "",
            id=match[1],
        )

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The lungs, in the image's size."""
        return lung_mask(folder, record.mask, shape)
