r"""The hospital as the shortcut: images are chosen so that their source tells the class, as far as wished.

Each source speaks for one class. In ``train``, ``val`` and ``iid`` the share :math:`\rho` of every class's images comes
from the sources that speak for it, the rest in equal parts from those of each other class; as many images are kept as
that allows. ``ood`` has every class from all sides equally (:math:`\rho` = 1 / classes), ``deceiving`` only from
sources that speak for another class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from benchmark.api import Floats, Index, Ints, NaturalBias, Selection
from benchmark.errors import BenchmarkError
from benchmark.plan import check_correlation, lowest, rows_of, unmarked
from benchmark.seeding import Draws


class Source(NaturalBias):
    """Sources mixed with a chosen correlation."""

    class Settings(NaturalBias.Settings):
        """The bias's YAML."""

        speaks_for: dict[str, int] = Field(
            min_length=2, description="source to the index of the class that it shall speak for"
        )

    settings: Settings
    source = "mixed-source chest X-rays: Bassi et al., Nature Communications 2024; here with the correlation as a dial"

    def plan(self, index: Index, classes: int) -> Mapping[str, Selection]:
        rho = self.settings.correlation
        check_correlation(rho, classes)
        inside = index.split != "external"
        code = self.codes(index.source, inside, classes)
        draws = Draws(self.settings.seed, index.id)
        subsets = {
            name: mix(rows_of(index, split), index.label, code, shares(share, classes), draws)
            for name, split, share in (
                ("train", "train", rho),
                ("val", "val", rho),
                ("iid", "test", rho),
                ("ood", "test", 1 / classes),
                ("deceiving", "test", 0.0),
            )
        }
        for name in ("train", "val", "iid"):
            if len(lacking := np.setdiff1d(np.arange(classes), subsets[name].label)):
                raise BenchmarkError(
                    f"bias 'source': no image of class {lacking[0]} in {name!r} can be had",
                    got=f"correlation {rho}",
                    expected="images of every class from sources that speak for it, and below 1 from others too",
                    do="Mend speaks_for, or set the correlation to 1.",
                )
        for name in ("ood", "deceiving"):  # a class that only one side has makes no fair test
            if len(np.unique(subsets[name].label)) < classes:
                del subsets[name]
        if not inside.all():
            subsets["external"] = unmarked(index, rows_of(index, "external"))
        return subsets

    def codes(self, source: np.ndarray, inside: np.ndarray, classes: int) -> Ints:
        """The class that each image's source speaks for; -1 outside of training and its tests.

        Raises:
            BenchmarkError: If a source has no class, or a class that does not exist.
        """
        known = self.settings.speaks_for
        if missing := sorted(set(source[inside].tolist()) - known.keys()):
            raise BenchmarkError(
                f"source {missing[0]!r} speaks for no class",
                expected=f"an entry in speaks_for; there are {', '.join(sorted(known))}",
                do="Add it to the bias's YAML.",
            )
        if wrong := {name: k for name, k in known.items() if not 0 <= k < classes}:
            raise BenchmarkError("speaks_for of the bias 'source'", got=wrong, expected=f"classes 0 to {classes - 1}")
        return np.array([known.get(name, -1) for name in source.tolist()], dtype=np.int64)


def shares(own: float, classes: int) -> Floats:
    """``[classes, classes]``: which share of class ``k``'s images comes from sources that speak for class ``j``."""
    table = np.full((classes, classes), (1 - own) / (classes - 1))
    np.fill_diagonal(table, own)
    return table


def mix(rows: Ints, label: Ints, code: Ints, wanted: Floats, draws: Draws) -> Selection:
    """Of the rows, as many as have the wanted shares of sources in every class; those with the lowest draws."""
    order = draws.take(rows).uniform("source")
    kept: list[Ints] = []
    for k, share in enumerate(wanted):
        parts = [np.flatnonzero((label[rows] == k) & (code[rows] == j)) for j in range(len(share))]
        counts = sizes([len(part) for part in parts], share.tolist())
        kept += [part[lowest(order[part], count)] for part, count in zip(parts, counts, strict=True)]
    chosen = np.sort(rows[np.concatenate(kept)])
    return Selection(chosen, code[chosen], label[chosen])


def sizes(there: Sequence[int], wanted: Sequence[float]) -> list[int]:
    """How many to keep of each part, the most whose shares are the wanted ones, rounded to whole images."""
    total = min(count / share for count, share in zip(there, wanted, strict=True) if share > 0)
    return [min(count, round(total * share)) for count, share in zip(there, wanted, strict=True)]
