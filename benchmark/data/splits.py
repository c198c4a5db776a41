"""Seeded splits that keep the classes' shares: exact counts of images, or shares of units.

Shares of units: within a stratum (a class, a source) the units are put in an order that a hash of seed and name gives
each of them, and the first go to the test, the next to validation. So neither the order of rows nor how somebody sorted
the files matters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from benchmark.api import SPLITS, Ints, Options
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


class Split(Options):
    """Shares of the units that get no split from their data set; the rest is for training."""

    val: float = Field(0.1, ge=0, lt=1, description="share of units for validation")
    test: float = Field(0.2, ge=0, lt=1, description="share of units for the test")
    seed: int = 0

    @model_validator(mode="after")
    def _leaves_a_rest(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test must leave something for training, got {self.val} + {self.test}")
        return self


def stratified_split(label: Ints, counts: Mapping[str, int], rng: np.random.Generator) -> NDArray[np.str_]:
    """Assigns every image to a split, each split holding each class in its share of what the earlier splits left.

    Where a share is no whole number, the remainders go to the classes with the largest fractions (ties: the
    smaller class index), so the counts are met exactly and a class is less than one image off.

    Args:
        label: ``[N]``.
        counts: Split name to number of images; must sum to ``N``.
        rng: Shuffles the images of each class.

    Returns:
        ``[N]`` names of splits.

    Raises:
        BenchmarkError: If a count is not positive, or they do not sum to the number of images.
    """
    if sum(counts.values()) != len(label) or min(counts.values()) < 1:
        raise BenchmarkError(
            "split counts",
            got=dict(counts),
            expected=f"positive numbers with a sum of {len(label)}, one for every image of the data set",
        )
    pools = {k: rng.permutation(np.flatnonzero(label == k)).tolist() for k in np.unique(label)}
    split = np.empty(len(label), dtype=f"<U{max(map(len, counts))}")
    for name, count in counts.items():
        left = {k: len(pool) for k, pool in pools.items()}
        quota = {k: count * left[k] / sum(left.values()) for k in pools}
        take = {k: int(quota[k]) for k in pools}
        by_remainder = sorted(pools, key=lambda k: (take[k] - quota[k], k))
        for k in by_remainder[: count - sum(take.values())]:
            take[k] += 1
        for k, pool in pools.items():
            split[pool[: take[k]]] = name
            del pool[: take[k]]
    return split


def split_units(unit: Sequence[str], stratum: Sequence[Hashable], given: Sequence[str], split: Split) -> list[str]:
    """Assigns every image to a split, all images of a unit together.

    A unit with a given split has all of its images there. The others are drawn: the test gets its share of the units of
    each stratum, to within one unit, then validation. Where a share is no whole number, the remainders go to the
    largest fractions (ties: the stratum that sorts first), so the totals are the nearest whole numbers; but one unit
    of each stratum always stays for training.

    Args:
        unit: ``[N]`` the unit of each image.
        stratum: ``[N]`` what is to be shared out evenly, such as the class. A unit whose images differ counts as a
            stratum of its own kind.
        given: ``[N]`` the split of each image, of ``SPLITS``, or empty.
        split: Shares and seed.

    Returns:
        ``[N]`` names of splits.

    Raises:
        BenchmarkError: If a unit is in two given splits, naming it; or if a given split is unknown.
    """
    home = given_homes(unit, given)
    kinds: dict[str, set[str]] = defaultdict(set)
    for name, kind in zip(unit, stratum, strict=True):
        if name not in home:
            kinds[name].add(str(kind))
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    units = sorted(kinds)
    place = Draws(split.seed, np.array(units, dtype=np.str_)).uniform("split").tolist() if units else []
    for _, name in sorted(zip(place, units, strict=True)):
        strata[tuple(sorted(kinds[name]))].append(name)
    left = dict(sorted(strata.items()))
    sizes = [len(members) for members in left.values()]
    free = [size - 1 for size in sizes]  # one unit of each stratum is for training
    for name, share in (("test", split.test), ("val", split.val)):
        takes = shared_out(sizes, share, free)
        for members, take in zip(left.values(), takes, strict=True):
            home.update(dict.fromkeys(members[:take], name))
            del members[:take]
        free = [rest - take for rest, take in zip(free, takes, strict=True)]
    return [home.get(name, "train") for name in unit]


def given_homes(unit: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """The split of each unit that has one.

    Raises:
        BenchmarkError: If a unit is in two splits, or a split is unknown.
    """
    home: dict[str, str] = {}
    for name, where in zip(unit, given, strict=True):
        if where and home.setdefault(name, where) != where:
            raise BenchmarkError(
                f"unit {name!r} is in two splits",
                got=f"{home[name]} and {where}",
                expected="all images of a unit (patient) in one split",
                do="Else its images leak from training into the test: mend the splits.",
            )
    if unknown := sorted(set(home.values()) - set(SPLITS)):
        raise BenchmarkError("a given split", got=unknown[0], expected=", ".join(SPLITS), do="Rename it.")
    return home


def shared_out(sizes: Sequence[int], share: float, free: Sequence[int]) -> list[int]:
    """How many of each stratum make the share: whole numbers by largest remainder, none beyond what is ``free``."""
    quota = [share * size for size in sizes]
    take = [min(int(part), most) for part, most in zip(quota, free, strict=True)]
    wanted = round(share * sum(sizes)) - sum(take)
    order = sorted(range(len(sizes)), key=lambda place: (take[place] - quota[place], place))
    for place in order:
        if wanted > 0 and take[place] < min(free[place], quota[place]):
            take[place] += 1
            wanted -= 1
    return take
