"""What stands beside the summary: what the metrics mean, comparisons, and how measures rank methods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A row of ``metrics.csv``, as far as the report prints it."""

    metric: str
    base: str
    family: str
    explainer: str
    higher_is_better: bool
    chance: str
    trained_by: str

    def trains(self, method: str) -> bool:
        """Whether a method's training uses such heatmaps."""
        return method in self.trained_by.split(", ")


@dataclass(frozen=True)
class Verdict:
    """A row of ``guards.csv``, as far as the report prints it."""

    dataset: str
    bias: str
    method: str
    explainer: str
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """A row of ``comparisons.csv``: a method against the reference by accuracy on one variant."""

    dataset: str
    bias: str
    method: str
    variant: str
    primary: bool
    diff: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    p_max_t: float | None
    p_sign_flip: float | None
    nested_low: float | None
    nested_high: float | None
    improvement: float | None
    p_gap_equivalent: float | None
    margin: float | None
    p_mcnemar: str


@dataclass(frozen=True)
class Agreement:
    """A row of ``agreement.csv``: the rank correlation of two measures over methods."""

    dataset: str
    bias: str
    methods: str
    first_variant: str
    first: str
    second_variant: str
    second: str
    value: float | None
    low: float | None
    high: float | None
    n_methods: float | None
    note: str


@dataclass(frozen=True)
class Slope:
    """A row of ``slopes.csv``: how the accuracy of a method moves with the dose of a bias."""

    dial: str
    held: str
    at: float | None
    method: str
    variant: str
    value: float | None
    low: float | None
    high: float | None
    doses: str
