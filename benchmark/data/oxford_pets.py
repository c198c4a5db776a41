"""Oxford-IIIT Pet: 37 breeds of cats and dogs with trimaps: 1 the animal, 2 background, 3 its undecided border.

The border is foreground unless the settings say otherwise: it is fur and the soft edge of fur, in which a mark could
hide and by which a method that blanks the background could still tell the breed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.decode import read_picture
from benchmark.data.filed import Record
from benchmark.data.official import AGAIN, OfficialTest, read_list, whole_number
from benchmark.errors import BenchmarkError

ANIMAL, BACKGROUND, BORDER = 1, 2, 3
LISTS = {"trainval.txt": "", "test.txt": "test"}
"""Each list of images, and their split; without one, validation images are drawn from them."""
SPECIES = ("cat", "dog")
BREEDS = 37


class OxfordPets(OfficialTest):
    """Photographs of cats and dogs."""

    class Settings(OfficialTest.Settings):
        """The data set's YAML."""

        classes: Literal["breed", "species"] = Field("breed", description="37 breeds, or cat and dog")
        border: Literal["foreground", "background"] = Field("foreground", description="what the trimap's border is")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of both lists: name, breed's number, species' number, breed's number within its species.

        Raises:
            BenchmarkError: If a list is missing or a line breaks its form, or a breed has two numbers or species.
        """
        records = []
        kinds: dict[str, tuple[int, str]] = {}
        for name, split in LISTS.items():
            for place, (image, breed, species, _) in read_list(folder, f"annotations/{name}", 4):
                number = whole_number(breed, 1, BREEDS, f"breed in {place}")
                animal = SPECIES[whole_number(species, 1, len(SPECIES), f"species in {place}") - 1]
                title = image.rpartition("_")[0].lower()
                if kinds.setdefault(title, (number, animal)) != (number, animal):
                    raise BenchmarkError(
                        f"breed in {place}",
                        got=f"{number}, {animal} for {image}",
                        expected=f"{kinds[title][0]}, {kinds[title][1]}, as for other images of its breed",
                        do=AGAIN,
                    )
                records.append(
                    Record(
                        file=f"images/{image}.jpg",
                        label=animal if self.settings.classes == "species" else title,
                        source="oxford_pets",
                        split=split,
                        mask=f"annotations/trimaps/{image}.png",
                        mask_kind="trimap",
                        id=image,
                    )
                )
        return records

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The animal of a trimap, with its border or without."""
        trimap = read_picture(self.opened(folder, record.mask), record.mask)[..., 0]
        if strange := np.setdiff1d(trimap, (ANIMAL, BACKGROUND, BORDER)).tolist():
            raise BenchmarkError(f"trimap {record.mask}", got=strange[:5], expected="values 1, 2 and 3", do=AGAIN)
        foreground = (ANIMAL, BORDER) if self.settings.border == "foreground" else (ANIMAL,)
        return np.isin(trimap, foreground)
