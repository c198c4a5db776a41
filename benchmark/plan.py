r"""Which image carries which mark: the dials of a planted bias, drawn for each image by its name alone.

An image of class :math:`y` (after label noise) shows the mark of its own class with probability :math:`\rho`, else
that of another, uniform over the others, and no mark at all with probability :math:`1 - p_y` (the prevalence). All
draws are common to every setting of the dials: raising :math:`\rho` moves images only from another mark to their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmark.api import NO_CODE, Bias, Floats, Index, Ints, NaturalBias, PlantedBias, Selection
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

SPLIT_OF = {
    **{"train": "train", "val": "val", "balanced": "val", "external": "external"},
    **dict.fromkeys(("iid", "ood", "deceiving", "counterfactual"), "test"),
}
"""Subset to the split whose images alone it may show."""


class Marks:
    """Which marks speak for which class.

    With as many codes as classes or fewer, class ``k`` has the code ``k mod codes``; with more, it has the codes
    ``k``, ``k + classes``, ``k + 2 classes``, ...

    Args:
        settings: The dials.
        classes: Number of classes.

    Raises:
        BenchmarkError: If the dials cannot be met with so many classes.
    """

    def __init__(self, settings: PlantedBias.Settings, classes: int) -> None:
        self.classes, self.settings = classes, settings
        self.codes = settings.codes or classes
        self.groups = min(self.codes, classes)
        self.prevalence = prevalence_of(settings, classes)
        group = np.arange(classes) % self.groups
        self.signature = np.where(self.prevalence > 0, group, NO_CODE)
        """What a test takes for typical of each class: its group of codes, or no mark."""
        check_correlation(settings.correlation, self.groups)

    def code(self, group: Ints, draws: Draws) -> Ints:
        """One of the codes of each group, uniform; a group :data:`NO_CODE` stays without mark."""
        several = 1 + (self.codes - 1 - np.maximum(group, 0)) // self.groups
        return np.where(group == NO_CODE, NO_CODE, group + self.groups * draws.integers("code", several))

    def trained(self, label: Ints, draws: Draws) -> Ints:
        """The code of each image as in training."""
        own = label % self.groups
        other = (own + 1 + draws.integers("other mark", max(1, self.groups - 1))) % self.groups
        group = np.where(draws.uniform("correlation") < self.settings.correlation, own, other)
        marked = draws.uniform("prevalence") < self.prevalence[label]
        return self.code(np.where(marked, group, NO_CODE), draws)

    def deceiving(self, label: Ints, draws: Draws) -> Ints:
        """The code of another class, never the own one.

        Raises:
            BenchmarkError: If all classes look alike.
        """
        looks = np.unique(self.signature)
        if len(looks) < 2:
            raise BenchmarkError(
                "a deceiving variant needs another class, with another mark",
                got=f"{self.classes} classes that all show the same",
                expected="2 or more codes, or a prevalence of 0 for some class",
                do="Mend the bias's YAML, or use a data set of two or more classes.",
            )
        own = np.searchsorted(looks, self.signature[label])
        drawn = (own + 1 + draws.integers("deceiving", len(looks) - 1)) % len(looks)
        return self.code(looks[drawn], draws)

    def any(self, draws: Draws) -> Ints:
        """A code without regard to the label, uniform over what the classes show."""
        looks = np.unique(self.signature)
        return self.code(looks[draws.integers("balanced", len(looks))], draws)


def prevalence_of(settings: PlantedBias.Settings, classes: int) -> Floats:
    """The share of marked images of each class, ``[classes]``.

    Raises:
        BenchmarkError: If a share is outside [0, 1], or there are not as many as classes.
    """
    given = settings.prevalence
    shares = np.full(classes, given) if isinstance(given, float) else np.array(given, dtype=np.float64)
    if len(shares) != classes or (shares < 0).any() or (shares > 1).any():
        raise BenchmarkError(
            "prevalence of the bias",
            got=given,
            expected=f"a number in [0, 1], or {classes} of them, one for each class",
            do="Mend it in the bias's YAML.",
        )
    return shares


def check_correlation(correlation: float, groups: int) -> None:
    """Refuses a correlation below chance.

    Raises:
        BenchmarkError: If it is.
    """
    if correlation < 1 / groups - 1e-9:
        raise BenchmarkError(
            "correlation of the bias",
            got=correlation,
            expected=f"1 / {groups} (chance, where the bias says nothing) to 1",
            do="Mend it in the bias's YAML.",
        )


def noisy(label: Ints, classes: int, noise: float, draws: Draws) -> Ints:
    """The label, or with probability ``noise`` another class, uniform over the others."""
    wrong = (label + 1 + draws.integers("noise class", max(1, classes - 1))) % classes
    return np.where(draws.uniform("label noise") < noise, wrong, label)


def class_count(index: Index) -> int:
    """Class indices run from 0 to this."""
    return int(index.label.max()) + 1


def planted(index: Index, bias: PlantedBias) -> dict[str, Selection]:
    """The subsets of a task with a planted bias.

    ``train``, ``val`` and ``iid`` with marks as in training, ``ood`` without, ``deceiving`` with another class's; all
    test variants show the same images. ``balanced`` shows the images of ``val`` with marks that say nothing,
    ``external`` the images of other sources as they are, and ``counterfactual`` some test images under every mark.

    Raises:
        BenchmarkError: If the dials cannot be met.
    """
    settings, classes = bias.settings, class_count(index)
    marks, every = Marks(settings, classes), Draws(settings.seed, index.id)
    subsets: dict[str, Selection] = {}
    for name, split in (("train", "train"), ("val", "val"), ("iid", "test")):
        rows = rows_of(index, split)
        draws, label = every.take(rows), index.label[rows]
        if split != "test":
            label = noisy(label, classes, settings.label_noise, draws)
        subsets[name] = Selection(rows, marks.trained(label, draws), label)
    rows = subsets["iid"].rows
    draws, label = every.take(rows), index.label[rows]
    subsets["ood"] = unmarked(index, rows)
    subsets["deceiving"] = Selection(rows, marks.deceiving(label, draws), label)
    rows = subsets["val"].rows
    subsets["balanced"] = Selection(rows, marks.any(every.take(rows)), subsets["val"].label)
    if (index.split == "external").any():
        subsets["external"] = unmarked(index, rows_of(index, "external"))
    if settings.counterfactuals:
        subsets["counterfactual"] = pairs(index, marks.codes, settings.counterfactuals, every)
    return subsets


def pairs(index: Index, codes: int, count: int, every: Draws) -> Selection:
    """Test images, those with the lowest draws, each once under every code."""
    rows = rows_of(index, "test")
    chosen = rows[np.sort(lowest(every.take(rows).uniform("counterfactual"), count))]
    repeated = np.repeat(chosen, codes)
    return Selection(repeated, np.tile(np.arange(codes), len(chosen)), index.label[repeated])


def unmarked(index: Index, rows: Ints) -> Selection:
    """The images as they are."""
    return Selection(rows, np.full(len(rows), NO_CODE), index.label[rows])


def lowest(values: NDArray[np.float64], count: int) -> Ints:
    """The places of the ``count`` lowest values."""
    return np.argsort(values, kind="stable")[:count].astype(np.int64)


def rows_of(index: Index, split: str) -> Ints:
    """The rows of a split.

    Raises:
        BenchmarkError: If it holds none.
    """
    rows = np.flatnonzero(index.split == split).astype(np.int64)
    if len(rows) == 0:
        raise BenchmarkError(f"split {split!r} holds no image", do="Check the data set's split.")
    return rows


def check_splits(subsets: Mapping[str, Selection], index: Index, what: str) -> None:
    """Refuses a subset that shows images of another split, and a plan without one to train, select and test on.

    Raises:
        BenchmarkError: Naming the subset and what it shows.
    """
    for name, chosen in subsets.items():
        shown = sorted(set(index.split[chosen.rows].tolist()))
        if name not in SPLIT_OF or shown != [SPLIT_OF[name]]:
            raise BenchmarkError(
                f"{what}, subset {name!r}",
                got=f"images of {', '.join(shown)}",
                expected=f"images of {SPLIT_OF[name]}" if name in SPLIT_OF else f"one of {', '.join(SPLIT_OF)}",
                do="Mend the bias's plan().",
            )
    if missing := [name for name in ("train", "val", "iid") if name not in subsets]:
        raise BenchmarkError(f"{what} has no subset {missing[0]!r}", do="Mend the bias's plan(), or the split.")


def check_selection(chosen: Selection, index: Index, what: str) -> None:
    """Refuses rows in another order, which are written block by block, and labels of no class.

    Raises:
        BenchmarkError: If the selection breaks a rule.
    """
    rows, label = chosen.rows, chosen.label
    fits = len(rows) == len(chosen.code) == len(label) and (np.diff(rows) >= 0).all()
    for values, stop in ((rows, len(index)), (label, class_count(index))):
        fits = fits and ((values >= 0) & (values < stop)).all()
    if not fits:
        raise BenchmarkError(
            what,
            got=f"{len(rows)} rows, {len(chosen.code)} codes and {len(label)} labels",
            expected="equally many, rows of the index in ascending order, labels of its classes",
            do="Mend the bias's plan().",
        )


def plan(index: Index, bias: Bias) -> dict[str, Selection]:
    """Which images each subset of the task shows, with which marks; subsets without images are left out."""
    if isinstance(bias, NaturalBias):
        what = f"the plan of bias {type(bias).__name__}"
        subsets = {name: each for name, each in bias.plan(index, class_count(index)).items() if len(each.rows)}
        for name, chosen in subsets.items():
            check_selection(chosen, index, f"{what}, subset {name!r}")
        check_splits(subsets, index, what)
    elif isinstance(bias, PlantedBias):
        subsets = planted(index, bias)
    else:
        raise BenchmarkError(
            f"bias {type(bias).__name__}", got="neither", expected="a PlantedBias or a NaturalBias of benchmark.api"
        )
    return {name: chosen for name, chosen in subsets.items() if len(chosen.rows)}
