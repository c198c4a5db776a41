"""A claim: a sentence, where its numbers are, and the test that decides it; one class a test.

What may be a name or a list of names (``dataset``, ``bias``, ``method``, ``against``) is a tuple here: the claim is
said of each of them, and its sentence holds the place of the name, such as ``{method}``.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from benchmark.api import Options

NAME = r"[a-z][a-z0-9_]*"
RIVALS = "rivals"
"""As ``against``: every other method of the task that is not of the ISNet family."""

Column = Literal["inference_ratio", "step_ratio", "memory_ratio", "params", "train_seconds"]


def _listed(value: object) -> object:
    if isinstance(value, list | tuple) and len({str(one) for one in value}) != len(value):
        raise ValueError("names something twice")
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[Annotated[str, Field(pattern=f"^{NAME}$")], ...], Field(min_length=1), BeforeValidator(_listed)]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is no number")
    return value


Number = Annotated[float, BeforeValidator(_no_truth)]
"""``margin: true`` would else be 1."""


class Claim(Options):
    """What every claim has.

    Attributes:
        lists: The keys that may hold a list of names.
    """

    lists: ClassVar[tuple[str, ...]] = ("method",)

    name: str = Field(pattern=f"^{NAME}$")
    sentence: str = Field(min_length=1)
    source: str = Field(min_length=1)
    test: str
    method: Names

    def several(self) -> list[str]:
        """The keys of which the claim has more than one name."""
        held = {key: getattr(self, key, None) or () for key in self.lists}
        return [key for key, names in held.items() if len(names) > 1 or names == (RIVALS,)]

    @model_validator(mode="after")
    def _places(self) -> Claim:
        held = set(re.findall(r"\{(\w*)\}", self.sentence))
        if lacking := [key for key in self.several() if key not in held]:
            raise ValueError(f"of several, the sentence must say which: write {{{lacking[0]}}} in it")
        if unknown := sorted(held - set(self.lists)):
            raise ValueError(f"the sentence has a place for {unknown[0]!r}, expected {', '.join(self.lists)}")
        if itself := [name for name in self.method if name in (getattr(self, "against", None) or ())]:
            raise ValueError(f"{itself[0]!r} is in method and in against")
        return self


class Scored(Claim):
    """A claim about a metric of cells."""

    lists: ClassVar[tuple[str, ...]] = ("dataset", "bias", "method")

    dataset: Names
    bias: Names
    variant: str
    metric: str


class Tested(Scored):
    """A claim that a p-value decides.

    Attributes:
        alpha: Level of the test, of the whole family.
        family: Claims that are corrected together, by Holm; by default the claim with all that it is said of.
    """

    alpha: Number = Field(0.05, gt=0, le=0.2)
    family: str = Field("", pattern=f"^({NAME})?$")

    @property
    def in_family(self) -> str:
        return self.family or self.name


class Bounded(Scored):
    """A claim with one bound."""

    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Bounded:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self

    @property
    def limit(self) -> tuple[float, int]:
        """The bound, and 1 where values lie above it or -1 below."""
        return (self.at_least, 1) if self.at_least is not None else (self.at_most or 0.0, -1)


class EverySeed(Bounded):
    """Each seed keeps the bound; no statement about other seeds or images."""

    test: Literal["every_seed"]


class Bound(Tested, Bounded):
    """The expected value lies beyond the bound."""

    test: Literal["bound"]


class Compared(Tested):
    """A claim about the paired difference of two methods of one task."""

    lists: ClassVar[tuple[str, ...]] = (*Scored.lists, "against")

    against: Names


class Superiority(Compared):
    """The method is better by more than the margin."""

    test: Literal["superiority"]
    margin: Number = Field(0.0, ge=0)


class NonInferiority(Compared):
    """The method is not worse by the margin or more."""

    test: Literal["non_inferiority"]
    margin: Number = Field(gt=0)


class Equivalence(Tested):
    """The value, or the difference to another method, is nearer to 0 than the margin."""

    lists: ClassVar[tuple[str, ...]] = Compared.lists

    test: Literal["equivalence"]
    margin: Number = Field(gt=0)
    against: Names | None = None


class Ratio(Claim):
    """A cost of the method ÷ that of another lies within bounds."""

    lists: ClassVar[tuple[str, ...]] = ("method", "against")

    test: Literal["ratio"]
    column: Column
    against: Names = ("erm",)
    at_least: Number | None = Field(None, gt=0)
    at_most: Number | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _bounds(self) -> Ratio:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is greater than at_most")
        return self


KINDS: dict[str, type[Claim]] = {
    "every_seed": EverySeed,
    "bound": Bound,
    "superiority": Superiority,
    "non_inferiority": NonInferiority,
    "equivalence": Equivalence,
    "ratio": Ratio,
}
"""The tests by name."""
