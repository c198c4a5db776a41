"""Caltech-UCSD Birds-200-2011: 200 species, with official training and test images.

The segmentations are grey: how many of the annotators saw the bird there. More than half of white is foreground.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from benchmark.data.filed import Record
from benchmark.data.official import AGAIN, OfficialTest, read_list, whole_number
from benchmark.errors import BenchmarkError, raise_unknown

ROOT = "CUB_200_2011"
SPECIES = 200


class CUB(OfficialTest):
    """Photographs of birds."""

    class Settings(OfficialTest.Settings):
        """The data set's YAML."""

        species: tuple[str, ...] = Field((), description="keep these only, such as Laysan_Albatross (default: all)")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of ``images.txt``, in species' folders such as ``002.Laysan_Albatross``.

        Raises:
            BenchmarkError: If a list is missing or a line breaks its form, the lists do not name the same images, an
                image lies in another folder than its label says, or a wanted species is unknown.
        """
        names = {
            whole_number(number, 1, SPECIES, f"class in {place}"): name
            for place, (number, name) in read_list(folder, f"{ROOT}/classes.txt", 2)
        }
        files = numbered(folder, "images.txt")
        labels, trained = numbered(folder, "image_class_labels.txt"), numbered(folder, "train_test_split.txt")
        for name, found in (("image_class_labels.txt", labels), ("train_test_split.txt", trained)):
            if odd := sorted(files.keys() ^ found.keys()):
                raise BenchmarkError(
                    f"{ROOT}/{name}", got=f"another set of images: {odd[0]}", expected="those of images.txt", do=AGAIN
                )
        records = []
        for number, file in files.items():
            label = whole_number(
                labels[number], 1, SPECIES, f"class of image {number} in {ROOT}/image_class_labels.txt"
            )
            home = file.partition("/")[0]
            if names.get(label) != home:
                raise BenchmarkError(
                    f"class of {file}", got=f"{label}, {names.get(label)}", expected=f"that of {home}", do=AGAIN
                )
            train = whole_number(trained[number], 0, 1, f"image {number} in {ROOT}/train_test_split.txt")
            records.append(
                Record(
                    file=f"{ROOT}/images/{file}",
                    label=home.partition(".")[2],
                    source="cub",
                    split="" if train else "test",
                    mask=f"segmentations/{file.removesuffix('.jpg')}.png",
                    mask_kind="human",
                    id=file.removesuffix(".jpg"),
                )
            )
        known = {record.label for record in records}
        for species in self.settings.species:
            if species not in known:
                raise_unknown("species", species, known)
        return [record for record in records if record.label in (self.settings.species or known)]


def numbered(folder: Path, name: str) -> dict[str, str]:
    """A list of CUB: image number to value.

    Raises:
        BenchmarkError: If a line breaks its form, or a number comes twice.
    """
    found: dict[str, str] = {}
    for place, (number, value) in read_list(folder, f"{ROOT}/{name}", 2):
        if found.setdefault(number, value) != value:
            raise BenchmarkError(f"image {number} in {place}", got="a second line", expected="one", do=AGAIN)
    return found
