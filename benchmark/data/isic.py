"""Skin lesions, benign or malignant: the ISIC challenge of 2016, and PH2 of another hospital as its external test.

The parts 1 (segmentation) and 3 (classification) of the challenge show the same 900 training and 379 test images, so
every image has a mask drawn by hand and a diagnosis. Its images are known for shortcuts: rulers, ink and coloured
patches. Which images show one lesion is not published for this challenge, so an image is a unit.

PH2 has 200 images of Hospital Pedro Hispano, Matosinhos, with masks. It needs a registration, and is used where its
files are. Its common (0) and atypical nevi (1) are ``benign``, its melanomas (2) ``malignant``.

Source: Gutman et al., arXiv 1605.01397; Mendonça et al., PH2, EMBC 2013.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.data.csv_rows import read_csv
from benchmark.data.filed import Record
from benchmark.data.homes import home_of
from benchmark.data.official import AGAIN, OfficialTest, read_text
from benchmark.errors import BenchmarkError

LISTS = {"Training": "", "Test": "test"}
"""What a part's names call it, and its split."""
DIAGNOSES = {"benign": "benign", "malignant": "malignant", "0": "benign", "1": "malignant"}
PH2, PH2_TABLE = "ph2", "PH2_dataset.txt"
PH2_DIAGNOSES = {"0": "benign", "1": "benign", "2": "malignant"}


class ISIC(OfficialTest):
    """Dermoscopic images."""

    def records(self, folder: Path) -> list[Record]:
        """The images of the challenge, and those of PH2 if its folder is there.

        Raises:
            BenchmarkError: If a list is missing, a diagnosis is unknown, or PH2's folder is there without its table.
        """
        records = [record for name, split in LISTS.items() for record in challenge(folder, name, split)]
        return [*records, *(ph2(folder) if (folder / PH2).exists() else ())]


def challenge(folder: Path, name: str, split: str) -> Iterator[Record]:
    """One list of the challenge. The training list says benign or malignant, the test list 0.0 or 1.0."""
    for place, row in read_csv(
        folder, f"ISBI2016_ISIC_Part3_{name}_GroundTruth.csv", ("image", "diagnosis"), header=False
    ):
        label = DIAGNOSES.get(row["diagnosis"].strip().removesuffix(".0"))
        if label is None:
            raise BenchmarkError(
                f"diagnosis in {place}", got=row["diagnosis"], expected="benign or malignant, 0.0 or 1.0", do=AGAIN
            )
        image = row["image"].strip()
        yield Record(
            file=f"ISBI2016_ISIC_Part1_{name}_Data/{image}.jpg",
            label=label,
            source="isic",
            split=split,
            mask=f"ISBI2016_ISIC_Part1_{name}_GroundTruth/{image}_Segmentation.png",
            mask_kind="human",
            id=image,
        )


def ph2(folder: Path) -> Iterator[Record]:
    """The rows of PH2's table: ``|| IMD003 ||  ||  0 || ...``, name, histological and clinical diagnosis."""
    root = home_of(folder, (f"{PH2}/PH2Dataset", PH2), PH2_TABLE)
    found = 0
    for number, line in enumerate(read_text(folder, f"{root}/{PH2_TABLE}").splitlines(), 1):
        fields = [field.strip() for field in line.split("||")]
        if len(fields) < 4 or not fields[1].startswith("IMD"):
            continue  # the header, and the legend below the table
        name, label = fields[1], PH2_DIAGNOSES.get(fields[3])
        if label is None:
            raise BenchmarkError(
                f"clinical diagnosis of {name} in line {number} of {PH2_TABLE}",
                got=fields[3],
                expected="0, 1 or 2",
                do=AGAIN,
            )
        found += 1
        home = f"{root}/PH2 Dataset images/{name}"
        yield Record(
            file=f"{home}/{name}_Dermoscopic_Image/{name}.bmp",
            label=label,
            source="ph2",
            split="external",
            mask=f"{home}/{name}_lesion/{name}_lesion.bmp",
            mask_kind="human",
            id=name,
        )
    if not found:
        raise BenchmarkError(f"{PH2_TABLE} has no rows", expected="rows such as || IMD003 ||  || 0 ||", do=AGAIN)
