"""What the test of one member found, before the correction over its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.claims.estimate import Estimate

Verdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Outcome:
    """One member's test.

    Attributes:
        evidence: What was compared with what, or why nothing was.
        verdict: Where no p-value decides.
        effect: The value, difference or ratio; NaN if there is none.
        low: Lower bound of the effect, 95 %.
        high: Upper bound.
        n_units: Test units behind the effect; ``None`` where there are none.
        n_seeds: Trainings behind it.
        p: P-value of "the claim does not hold"; NaN where there is none.
        p_opposite: P-value of "the opposite does not hold".
    """

    evidence: str
    verdict: Verdict = "undecided"
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    n_units: int | None = None
    n_seeds: int | None = None
    p: float = np.nan
    p_opposite: float = np.nan

    @classmethod
    def of(
        cls,
        found: Estimate,
        evidence: str,
        verdict: Verdict = "undecided",
        p: tuple[float, float] = (np.nan, np.nan),
    ) -> Outcome:
        """With the effect of an estimate."""
        interval = found.interval
        effect = (interval.value, interval.low, interval.high, found.n_units or None, found.n_seeds)
        return cls(evidence, verdict, *effect, *p)
