"""What a claim is said of, one by one: each member has a test and a row of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmark.cell import Cell
from benchmark.claims.kinds import RIVALS, Claim, Scored

FAMILY = "isnet"
"""Names that begin with it are of the ISNet family: no rivals of each other."""


@dataclass(frozen=True)
class Member:
    """One claim about one method.

    Attributes:
        method: Its name.
        cell: Where its scores are; ``None`` for a claim about costs.
        against: The other method; empty where there is none, or no rival to name.
        places: What the sentence's places hold.
    """

    claim: Claim
    method: str
    cell: Cell | None = None
    against: str = ""
    places: dict[str, str] = field(default_factory=dict)

    @property
    def other(self) -> Cell | None:
        """The cell of the other method, on the same task."""
        return Cell(self.cell.dataset, self.cell.bias, self.against) if self.cell and self.against else None

    @property
    def sentence(self) -> str:
        """The claim's sentence about this member."""
        sentence = self.claim.sentence
        for place, name in self.places.items():
            sentence = sentence.replace(f"{{{place}}}", name or "its rivals")
        return sentence

    @property
    def name(self) -> str:
        """The claim's name with what tells its members apart: ``beats_rivals_isnet_vs_rrr``."""
        several = self.claim.several()
        parts = [self.places[key] for key in several if key != "against"]
        if "against" in several:
            parts.append(f"vs_{self.against or 'nobody'}")
        return "_".join([self.claim.name, *parts])


def members(claim: Claim, cells: Sequence[Cell]) -> Iterator[Member]:
    """Every dataset, bias and method of a claim, against every other method that it names.

    Args:
        claim: The claim.
        cells: Of the suite, those of skipped data sets too: they say who is a rival.
    """
    named = getattr(claim, "against", None) or ("",)
    if not isinstance(claim, Scored):
        suite = list(dict.fromkeys(cell.method for cell in cells))
        for method in claim.method:
            for against in _expanded(named, method, suite):
                yield Member(claim, method, None, against, {"method": method, "against": against})
        return
    for dataset, bias, method in itertools.product(claim.dataset, claim.bias, claim.method):
        cell = Cell(dataset, bias, method)
        task = [each.method for each in cells if each.task == cell.task]
        for against in _expanded(named, method, task):
            yield Member(claim, method, cell, against, {**vars(cell), "against": against})


def _expanded(named: Sequence[str], method: str, task: Sequence[str]) -> list[str]:
    """The other methods, each once, in the order of the suite where they are its rivals; ``[""]`` for none."""
    found: dict[str, None] = {}
    for name in named:
        rivals = [each for each in task if not each.startswith(FAMILY) and each != method]
        found |= dict.fromkeys(rivals if name == RIVALS else [name])
    return list(found) or [""]
