"""Spawrious: generated photographs of four breeds of dogs in six places.

In a challenge the place tells the breed of the training images, wholly (m2m: two places for two breeds) or nearly (o2o:
97 % of the images in one group, 87 % in the other; the rest of every breed lies in one common place). Its test shows
every breed where another one was in training. Here:

- the training images are shared out into ``train``, ``val`` and ``test``: what a model scores where the place helps;
- the official test images are ``external``: what it scores where the place misleads;
- *source* is the place.

``challenge: all`` takes every breed in every place instead, all with drawn splits, for the bias ``source`` to choose
from.

No masks are published, and a method with masks needs some. Draw them for a part of the images (white is the dog) and
give them as ``masks.zip``, with the names of the images below ``spawrious224``, such as ``0/desert/corgi/17.png``: a
U-Net then predicts the others and the pack states how well. Without any, packing refuses.

Source: Lynch et al., Spawrious: A Benchmark for Fine Control of Spurious Correlation Biases, arXiv 2303.05470; which
images belong to which challenge: the authors' loader (github.com/aengusl/spawrious).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from benchmark.data.filed import FileDataset, Record
from benchmark.data.official import AGAIN, missing
from benchmark.errors import BenchmarkError

Challenge = Literal["o2o_easy", "o2o_medium", "o2o_hard", "m2m_easy", "m2m_medium", "m2m_hard", "all"]

ROOT = "spawrious224"
MASKS = "masks"
BREEDS = ("bulldog", "dachshund", "labrador", "corgi")
"""In the order of the challenges' places."""
PLACES = ("desert", "jungle", "dirt", "mountain", "snow", "beach")
TRAINED_AT = {
    "o2o_easy": ("desert", "jungle", "dirt", "snow"),
    "o2o_medium": ("mountain", "beach", "dirt", "jungle"),
    "o2o_hard": ("jungle", "mountain", "snow", "desert"),
    "m2m_easy": ("desert", "mountain", "dirt", "jungle"),
    "m2m_medium": ("beach", "snow", "mountain", "desert"),
    "m2m_hard": ("dirt", "jungle", "snow", "beach"),
}
TESTED_AT = {
    "o2o_easy": ("dirt", "snow", "desert", "jungle"),
    "o2o_medium": ("jungle", "dirt", "beach", "snow"),
    "o2o_hard": ("mountain", "snow", "desert", "jungle"),
    "m2m_easy": ("dirt", "jungle", "mountain", "desert"),
    "m2m_medium": ("desert", "mountain", "beach", "snow"),
    "m2m_hard": ("snow", "beach", "dirt", "jungle"),
}
COMMON = {"o2o_easy": "beach", "o2o_medium": "desert", "o2o_hard": "beach"}
"""Where the rest of every breed's training images lies."""
SHARES = (0.97, 0.87)
"""Of a breed's images at its own place, in the groups 0 and 1."""
PARTNER = (1, 0, 3, 2)
"""In m2m, breeds share both places of a pair."""


class Part(NamedTuple):
    """Images of one folder.

    Attributes:
        group: The first folder's name.
        place: The second's.
        breed: The third's.
        split: Empty = drawn.
        most: How many, the first by name; None = all.
    """

    group: int
    place: str
    breed: str
    split: str
    most: int | None


def parts(challenge: str, images: int) -> Iterator[Part]:
    """The folders of a challenge.

    Args:
        challenge: Its name.
        images: In each folder.
    """
    if challenge == "all":
        yield from (Part(0, place, breed, "", None) for place in PLACES for breed in BREEDS)
        return
    trained, tested = TRAINED_AT[challenge], TESTED_AT[challenge]
    for row, breed in enumerate(BREEDS):
        if challenge.startswith("m2m"):
            pair = (row, PARTNER[row])
            yield from (Part(0, trained[k], breed, "", images) for k in pair)
            yield from (Part(0, tested[k], breed, "external", None) for k in pair)
            continue
        for group, share in enumerate(SHARES):
            count = int(share * images)
            yield Part(group, trained[row], breed, "", count)
            yield Part(group, COMMON[challenge], breed, "", images - count)
            yield Part(group, tested[row], breed, "external", None)


class Spawrious(FileDataset):
    """Generated photographs of dogs."""

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        challenge: Challenge = Field("o2o_hard", description="must be in the archive that origin names")
        images: int = Field(3168, ge=2, description="of each breed and place, of which the o2o challenges take shares")

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """The images of the challenge.

        Raises:
            BenchmarkError: If a folder of the challenge is missing or has too few images.
        """
        return [
            record
            for part in parts(self.settings.challenge, self.settings.images)
            for record in part_records(folder, part)
        ]


def part_records(folder: Path, part: Part) -> Iterator[Record]:
    """The images of one folder, by name."""
    home = f"{ROOT}/{part.group}/{part.place}/{part.breed}"
    files = sorted(path.name for path in (folder / home).glob("*") if path.suffix in (".png", ".jpg", ".jpeg"))
    if not files:
        raise missing(folder, home)
    if part.most is not None and len(files) < part.most:
        raise BenchmarkError(f"images in {home}", got=len(files), expected=f"{part.most} or more", do=AGAIN)
    for name in files[: part.most]:
        stem = f"{part.group}/{part.place}/{part.breed}/{name.rpartition('.')[0]}"
        mask = f"{MASKS}/{stem}.png"
        yield Record(
            file=f"{home}/{name}",
            label=part.breed,
            source=part.place,
            split=part.split,
            mask=mask if (folder / mask).is_file() else "",
            id=stem,
        )
