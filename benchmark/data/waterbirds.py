r"""Waterbirds: each bird of CUB cut out by its mask and put on land or water.

A bird stands on its own kind of background with the probability ``correlation`` in training and ``correlation_tests``
in validation and test. The background is the ``source`` of an image. What an image becomes is drawn by its id, so an
image more changes no other.

Source: Sagawa, Koh, Hashimoto and Liang, ICLR 2020, appendix C.1. Deviations: numbers of images are drawn instead of
rounded; masks cut sharply instead of blending, so that no pixel of the bird's own scene is left; the backgrounds of
training, validation and test are different photographs, from the validation images of Places365 unless the settings
name others, so one is behind several birds; and a species is compared by its words, where the authors' script looks for
the letters, which makes water birds of Eastern Towhee, Western Meadowlark and Western Wood Pewee, for their "tern".
``species_rule: letters`` does as the script does.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field, field_validator

from benchmark.api import UInt8
from benchmark.data.cub import CUB
from benchmark.data.decode import read_picture, to_channels
from benchmark.data.filed import Record, Split
from benchmark.data.inside import Inside
from benchmark.data.official import AGAIN, read_list
from benchmark.data.splits import split_units
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.seeding import Draws

SEABIRDS = "Albatross Auklet Cormorant Frigatebird Fulmar Gull Jaeger Kittiwake Pelican Puffin Tern"
WATERFOWL = "Gadwall Grebe Mallard Merganser Guillemot Pacific_Loon"
WATERBIRDS = (*SEABIRDS.split(), *WATERFOWL.split())
KINDS = {"landbird": "land", "waterbird": "water"}
"""Each class, and the background that is its own."""
CATEGORIES = "categories_places365.txt"


class Waterbirds(CUB):
    """Birds on backgrounds that tell their class most of the time."""

    class Settings(CUB.Settings):
        """The data set's YAML."""

        split: Split = Field(Split(val=0.2, test=0), description="val: share of the official training images")
        correlation: float = Field(0.95, ge=0, le=1, description="share of training images on their own background")
        correlation_tests: float = Field(0.5, ge=0, le=1, description="the same in validation and test")
        seed: int = Field(0, description="of the choice of backgrounds")
        species_rule: Literal["words", "letters"] = Field("words", description="how a species is compared to the list")
        land: tuple[str, ...] = Field(("bamboo_forest", "forest/broadleaf"), min_length=1, description="of Places365")
        water: tuple[str, ...] = Field(("ocean", "lake/natural"), min_length=1, description="of Places365")
        places_list: str = Field("places365_val.txt", description="photographs and the numbers of their categories")
        places_folder: str = Field("val_256", description="where these photographs lie")
        places_split: Split = Field(Split(val=0.2, test=0.3), description="shares of photographs for each split")

        @field_validator("places_split")
        @classmethod
        def _has_tests(cls, split: Split) -> Split:
            if not split.val or not split.test:
                raise ValueError("val and test must be above 0: backgrounds are not shared between splits")
            return split

    settings: Settings

    def records(self, folder: Path) -> list[Record]:
        """Every bird with its background.

        Raises:
            BenchmarkError: As for CUB; or if a list or a photograph of Places is missing, or a category is unknown.
        """
        s = self.settings
        birds = sorted(super().records(folder), key=lambda record: record.id)
        kinds = [("landbird", "waterbird")[is_waterbird(bird.label, s.species_rule)] for bird in birds]
        splits = split_units([bird.id for bird in birds], kinds, [bird.split for bird in birds], s.split)
        pools = self.backgrounds(folder)
        draws = Draws(s.seed, np.array([bird.id for bird in birds]))
        chance, choice = draws.uniform("place").tolist(), draws.uniform("photograph").tolist()
        records = []
        for bird, kind, split, first, second in zip(birds, kinds, splits, chance, choice, strict=True):
            own = first < (s.correlation if split == "train" else s.correlation_tests)
            ground = KINDS[kind] if own else next(place for place in KINDS.values() if place != KINDS[kind])
            pool = pools[ground, split]
            extra = {"species": bird.label, "background": pool[int(second * len(pool))]}
            records.append(replace(bird, label=kind, source=ground, split=split, extra=extra))
        return records

    def backgrounds(self, folder: Path) -> dict[tuple[str, str], list[str]]:
        """The photographs of each ground and split.

        Raises:
            BenchmarkError: If one is missing, or a ground has none for a split.
        """
        s = self.settings
        number = {name: code for _, (name, code) in read_list(folder, CATEGORIES, 2)}
        grounds: dict[str, str] = {}
        for ground, categories in (("land", s.land), ("water", s.water)):
            for category in categories:
                if (full := f"/{category[:1]}/{category}") not in number:
                    raise_unknown("category of Places365", category, [name[3:] for name in number])
                grounds[number[full]] = ground
        wanted = [
            (name.lstrip("/"), code) for _, (name, code) in read_list(folder, s.places_list, 2) if code in grounds
        ]
        files = [f"{s.places_folder}/{name}" for name, _ in wanted]
        Inside(folder).require(files, "photographs of Places365", do=AGAIN)
        splits = split_units(files, [code for _, code in wanted], [""] * len(files), s.places_split)
        pools: dict[tuple[str, str], list[str]] = defaultdict(list)
        for file, (_, code), split in zip(files, wanted, splits, strict=True):
            pools[grounds[code], split].append(file)
        for ground in KINDS.values():
            for split in ("train", "val", "test"):
                if not pools[ground, split]:
                    raise BenchmarkError(
                        f"no photograph of {ground} is for {split}",
                        got=f"{len(files)} photographs in {s.places_list}",
                        expected="one of each ground for each split",
                        do="Name more categories, or mend places_split.",
                    )
        return {key: sorted(pool) for key, pool in pools.items()}

    def read_image(self, folder: Path, record: Record) -> UInt8:
        """The bird on its background, whose centre is enlarged or shrunk to cover the bird's image."""
        bird = to_channels(read_picture(self.opened(folder, record.file), record.file), 3)
        mask = self.read_mask(folder, record, bird.shape[:2])
        name = record.extra["background"]
        place = Image.fromarray(to_channels(read_picture(self.opened(folder, name), name), 3))
        cover = np.asarray(ImageOps.fit(place, bird.shape[1::-1], Image.Resampling.BILINEAR))
        if mask.shape != cover.shape[:2]:
            return bird  # the check of masks, which comes next, tells this
        return np.where(mask[..., None], bird, cover)


def is_waterbird(species: str, rule: str) -> bool:
    """Whether a species, such as ``Laysan_Albatross``, is a seabird or a waterfowl.

    Args:
        species: Its name in CUB.
        rule: ``words``: a name of the list is among its words; ``letters``: anywhere in its letters.
    """
    name = species.lower()
    if rule == "letters":
        return any(bird.lower() in name for bird in WATERBIRDS)
    return any(f"_{bird.lower()}_" in f"_{name}_" for bird in WATERBIRDS)
