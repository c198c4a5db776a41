"""ImageNet-9: the test images of the backgrounds challenge, each foreground in front of several backgrounds.

It only tests: its pack has no training images, so nothing is trained on it and no bias is planted; a model that was
trained elsewhere can be scored. Every image is of the split ``test``. Its *source* is the variant and its *unit* the
photograph that the foreground comes from, so the gap between two sources (mixed_same and mixed_rand: the paper's
BG-gap) is a paired one:

| source | foreground | background |
| --- | --- | --- |
| original | of the class | its own |
| mixed_same | of the class | of another image of the class |
| mixed_rand | of the class | of an image of any class |
| mixed_next | of the class | of an image of the next class |
| only_fg | of the class | black |
| no_fg | cut out | its own |
| only_bg_b, only_bg_t | a black box, or a tile of background | its own |

The last three show no object. They are left out unless the settings name them; their mask (kind ``removed``) is the
place where the object was. Masks are those that the authors made by GrabCut in ImageNet's boxes. The publisher's
training archives are not part of the release.

Source: Xiao et al., Noise or Signal: The Role of Image Backgrounds in Object Recognition, arXiv 2006.09994.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.filed import FileDataset, Record
from benchmark.data.official import AGAIN, missing
from benchmark.errors import BenchmarkError

Variant = Literal["original", "mixed_same", "mixed_rand", "mixed_next", "only_fg", "no_fg", "only_bg_b", "only_bg_t"]
NO_OBJECT = ("no_fg", "only_bg_b", "only_bg_t")
CLASSES = ("dog", "bird", "wheeled_vehicle", "reptile", "carnivore", "insect", "musical_instrument", "primate", "fish")
ROOT = "bg_challenge"
PHOTOGRAPH = re.compile(r"n\d{8}_\d+")
"""ImageNet's name of a photograph; the first one in a file's name is the foreground's."""


class ImageNet9(FileDataset):
    """Photographs of nine classes, with their backgrounds exchanged."""

    needs_splits: ClassVar[tuple[str, ...]] = ("test",)

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        variants: tuple[Variant, ...] = Field(
            ("original", "mixed_same", "mixed_rand", "mixed_next", "only_fg"),
            min_length=1,
            description="which images are in the pack; also no_fg, only_bg_b, only_bg_t, which show no object",
        )

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of every variant, in folders such as ``mixed_rand/val/02_wheeled vehicle``.

        Raises:
            BenchmarkError: If a variant is missing or empty, a folder is of no class, or a name tells no photograph.
        """
        return [record for variant in self.settings.variants for record in variant_records(folder, variant)]

    def read_mask(self, folder: Path, record: Record, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask of the foreground's photograph, an array of 0 and 1. Nothing is unpickled.

        Raises:
            BenchmarkError: If the file is damaged or holds something else.
        """
        try:
            mask = np.load(folder / record.mask, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BenchmarkError(
                f"mask {record.mask} cannot be read", got=str(error), expected="an array in NumPy's format", do=AGAIN
            ) from error
        if not isinstance(mask, np.ndarray) or mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
            got = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise BenchmarkError(f"mask {record.mask}", got=got, expected="two axes, values 0 and 1", do=AGAIN)
        return np.asarray(mask, dtype=np.bool_)


def variant_records(folder: Path, variant: str) -> list[Record]:
    """The images of one variant."""
    home = folder / ROOT / variant / "val"
    if not home.is_dir():
        raise missing(folder, f"{ROOT}/{variant}/val/00_dog")
    records = []
    for place in sorted(path for path in home.iterdir() if path.is_dir()):
        number = place.name.partition("_")[0]
        if not number.isdecimal() or int(number) >= len(CLASSES):
            raise BenchmarkError(
                f"folder {ROOT}/{variant}/val/{place.name}",
                got=place.name,
                expected=f"00_dog to {len(CLASSES) - 1:02d}_{CLASSES[-1]}",
                do=AGAIN,
            )
        for file in sorted(place.iterdir()):
            photograph = PHOTOGRAPH.search(file.stem)
            if photograph is None:
                raise BenchmarkError(
                    f"name of {file.relative_to(folder)}",
                    got=file.name,
                    expected="ImageNet's name of its foreground, such as n02096051_44543",
                    do=AGAIN,
                )
            records.append(
                Record(
                    file=file.relative_to(folder).as_posix(),
                    label=CLASSES[int(number)],
                    source=variant,
                    split="test",
                    unit=photograph[0],
                    mask=f"{ROOT}/fg_mask/val/{place.name}/{photograph[0]}.npy",
                    mask_kind="removed" if variant in NO_OBJECT else "grabcut",
                    id=f"{variant}/{number}/{file.stem}",
                )
            )
    if not records:
        raise missing(home, "00_dog")
    return records
