"""CelebAMask-HQ: 30,000 faces with a mask for every part of a face, and 40 attributes, one of which is the class.

Foreground is the union of the parts that the settings name: by default the head, which is face, ears, hair and glasses,
without hat, jewellery, neck and clothes. The official splits are CelebA's, by the number that an image has there: up
to 162,770 training, up to 182,637 validation, then test. CelebA's list of identities is not in the archive; where it
lies beside it, the person is the unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from benchmark.data.decode import read_picture, to_channels
from benchmark.data.filed import Facts, FileDataset, Record
from benchmark.data.official import AGAIN, missing, read_list, read_text, whole_number
from benchmark.errors import BenchmarkError, raise_unknown

ROOT = "CelebAMask-HQ"
ATTRIBUTES = f"{ROOT}/CelebAMask-HQ-attribute-anno.txt"
MAPPING = f"{ROOT}/CelebA-HQ-to-CelebA-mapping.txt"
IMAGES, MASKS = f"{ROOT}/CelebA-HQ-img", f"{ROOT}/CelebAMask-HQ-mask-anno"
IDENTITIES = "identity_CelebA.txt"
CELEBA = 202_599
ENDS = {"train": 162_770, "val": 182_637, "test": CELEBA}
"""The last image of CelebA in each split."""
A_FOLDER = 2000
"""How many images' masks lie in one folder."""

FACE = ("skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "eye_g")
PARTS = (*FACE, "hair", "hat", "ear_r", "neck_l", "neck", "cloth")


class CelebAMask(FileDataset):
    """Portraits of celebrities."""

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        attribute: str = Field("Smiling", description="the class: images without it, and with it")
        parts: tuple[str, ...] = Field((*FACE, "hair"), min_length=1, description="of the foreground")
        splits: Literal["official", "draw"] = Field("official", description="draw: by unit, with the shares of split")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of the list of attributes. A part that is hidden in an image has no mask there.

        Raises:
            BenchmarkError: If a list is missing or a line breaks its form, or a setting names no part or attribute.
        """
        s = self.settings
        for part in s.parts:
            if part not in PARTS:
                raise_unknown("part of a face", part, PARTS)
        original = self.originals(folder)
        identity = dict(fields for _, fields in read_list(folder, IDENTITIES, 2)) if named(folder) else {}
        parts = part_files(folder)
        records = []
        for number, present in attribute_values(folder, s.attribute).items():
            face = original.get(number, "")
            if (original and not face) or (identity and face not in identity):
                where = IDENTITIES if face else MAPPING
                raise BenchmarkError(f"image {number} is not in {where}", got=face or None, do=AGAIN)
            held = [name for name in s.parts if name in parts[number]]
            records.append(
                Record(
                    file=f"{IMAGES}/{number}.jpg",
                    label=s.attribute.lower() if present else f"not_{s.attribute.lower()}",
                    source="celeba",
                    split=official_split(face) if s.splits == "official" else "",
                    unit=f"person_{identity[face]}" if identity else "",
                    mask_kind="human" if held else "",
                    id=f"face_{number:05d}",
                    extra={name: parts[number][name] for name in held},
                )
            )
        return records

    def originals(self, folder: Path) -> dict[int, str]:
        """The name of each image in CelebA; nothing where that is not known and not needed.

        Raises:
            BenchmarkError: If the list is missing although splits or units need it.
        """
        if not (folder / MAPPING).is_file():
            if self.settings.splits == "official" or named(folder):
                raise missing(folder, MAPPING)
            return {}
        lines = read_list(folder, MAPPING, 3)
        return {
            whole_number(fields[0], 0, CELEBA, f"image in {place}"): fields[2]
            for place, fields in lines
            if fields[0] != "idx"
        }

    def facts(self, folder: Path) -> Facts:
        return {**super().facts(folder), "unit": "person" if named(folder) else "image"}

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The union of the parts' masks, which have half of the image's side: the nearest pixel counts."""
        mask = np.zeros(shape, dtype=bool)
        for name in record.extra.values():
            part = Image.fromarray(to_channels(read_picture(self.opened(folder, name), name), 1)[..., 0])
            mask |= np.asarray(part.resize(shape[::-1], Image.Resampling.NEAREST)) > 127
        return mask


def named(folder: Path) -> bool:
    """Whether the list of identities is there."""
    return (folder / IDENTITIES).is_file()


def official_split(face: str) -> str:
    """The split of an image of CelebA, such as ``119614.jpg``.

    Raises:
        BenchmarkError: If it is no such name.
    """
    number = whole_number(face.removesuffix(".jpg"), 1, CELEBA, f"image of CelebA in {MAPPING}")
    return next(name for name, end in ENDS.items() if number <= end)


def attribute_values(folder: Path, attribute: str) -> dict[int, bool]:
    """Whether each image has the attribute.

    The file has the number of images, the names of the attributes, then lines of ``<number>.jpg`` and 1 or -1 each.

    Raises:
        BenchmarkError: If it is missing or of another form, or there is no such attribute.
    """
    lines = read_text(folder, ATTRIBUTES).splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    if attribute not in names:
        raise_unknown("attribute", attribute, names, do=f"They are in the second line of {ATTRIBUTES}.")
    place = names.index(attribute)
    found = {}
    for row, line in enumerate(lines[2:], 3):
        file, *values = line.split() or [""]
        if len(values) != len(names) or values[place] not in ("1", "-1"):
            raise BenchmarkError(
                f"line {row} of {ATTRIBUTES}", got=line[:80], expected=f"a file and {len(names)} of 1 or -1", do=AGAIN
            )
        number = whole_number(file.removesuffix(".jpg"), 0, CELEBA, f"image in line {row} of {ATTRIBUTES}")
        found[number] = values[place] == "1"
    count = whole_number(lines[0].strip(), 0, CELEBA, f"line 1 of {ATTRIBUTES}")
    if len(found) != count:
        raise BenchmarkError(
            f"images of {ATTRIBUTES}", got=len(found), expected=f"{count}, as its line 1 says", do=AGAIN
        )
    return found


def part_files(folder: Path) -> Mapping[int, dict[str, str]]:
    """The masks of each image: part to file, such as ``0/00012_l_eye.png``."""
    if not (folder / MASKS).is_dir():
        raise missing(folder, MASKS)
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for path in (folder / MASKS).glob("*/*_*.png"):
        number, _, part = path.stem.partition("_")
        if number.isdecimal() and path.parent.name == str(int(number) // A_FOLDER):
            found[int(number)][part] = path.relative_to(folder).as_posix()
    return found
