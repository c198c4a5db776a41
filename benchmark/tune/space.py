"""What a method's search file may hold, and the values that a trial draws from it.

Trial 0 has the values of the method's own YAML. Every other value comes from a stream of its own, named by method,
trial and setting: it does not depend on how many trials there are, or on which other settings are searched.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from benchmark.api import Options
from benchmark.seeding import numpy_stream

DIGITS = 3
"""Significant digits of a drawn number: what a person would write."""


class Values(Options):
    """What one setting may be: anything between two ends, or one of a list."""

    low: int | float | None = Field(None, description="smallest value")
    high: int | float | None = Field(None, description="largest value; whole numbers only if both ends are whole")
    log: bool = Field(False, description="uniform in the logarithm: each factor is equally likely")
    choices: tuple[Any, ...] = Field((), description="a list instead of a range, each entry equally likely")

    @model_validator(mode="after")
    def _range_or_list(self) -> Self:
        if self.choices:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("give choices, or low and high, not both")
        elif self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        elif not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        elif self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must lie above 0, got low {self.low}")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all others to be."""
        return self.choices or (self.low, self.high)

    def draw(self, rng: np.random.Generator) -> Any:
        """One value at random."""
        low, high = self.low, self.high
        if low is None or high is None:
            return self.choices[int(rng.integers(len(self.choices)))]
        if isinstance(low, int) and isinstance(high, int):
            if not self.log:
                return int(rng.integers(low, high + 1))
            return min(high, int(math.exp(rng.uniform(math.log(low), math.log(high + 1)))))
        number = math.exp(rng.uniform(math.log(low), math.log(high))) if self.log else rng.uniform(low, high)
        return min(max(float(f"{number:.{DIGITS}g}"), float(low)), float(high))


class Search(Options):
    """A method's search file."""

    strength: str | None = Field(
        None, description="the searched setting that says how much the method's own term counts"
    )
    direction: Literal["up", "down"] = Field("up", description="where strength grows")
    space: dict[str, Values] = Field(min_length=1, description="dotted setting: its values")

    @model_validator(mode="after")
    def _strength_is_searched(self) -> Self:
        if self.strength is None:
            return self
        if self.strength not in self.space:
            searched = ", ".join(self.space)
            raise ValueError(f"strength {self.strength!r} must be one of what is searched: {searched}")
        if not all(isinstance(value, int | float) for value in self.space[self.strength].ends):
            raise ValueError(f"strength {self.strength!r} must be a number, so that one value is stronger than another")
        return self

    def trial(self, method: str, seed: int, number: int) -> dict[str, Any]:
        """The values that a trial sets: none for trial 0."""
        if number == 0:
            return {}
        return {
            name: values.draw(numpy_stream(seed, "tune", method, number, name)) for name, values in self.space.items()
        }
