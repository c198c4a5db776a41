"""Sentences about scores that a rule decides: pass, fail or undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from benchmark.api import Options
from benchmark.config import load

Row = Mapping[str, str]
COLUMNS = ("claim", "verdict", "effect", "low", "high", "p", "evidence")


class Claim(Options):
    """A sentence, where its scores are, and a bound that *every seed* must keep."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    sentence: str
    source: str
    dataset: str
    bias: str
    method: str
    variant: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Claim:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self

    def selects(self, row: Row) -> bool:
        names = ("dataset", "bias", "method", "variant", "metric")
        return all(row[name] == getattr(self, name) for name in names)


class ClaimsFile(Options):
    """claims.yaml of a suite."""

    claims: tuple[Claim, ...]


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of a suite; none without a file."""
    return load(ClaimsFile, path).claims if path.is_file() else ()


def decide(claim: Claim, scores: Sequence[Row], summary: Sequence[Row]) -> dict[str, str]:
    """One row of ``claims.csv``.

    Undecided when there is no score to look at, or a seed without one beside seeds that keep the bound. ``effect`` is
    the seeds' mean with its interval from the summary; the verdict is about the seeds one by one, so ``p`` stays empty.
    """
    found = {row["seed"]: row["value"] for row in scores if claim.selects(row)}
    values = {seed: float(value) for seed, value in found.items() if value}
    mean = next((row for row in summary if claim.selects(row)), None)
    bound, sign = (claim.at_least, "≥") if claim.at_least is not None else (claim.at_most, "≤")
    verdict: Literal["pass", "fail", "undecided"] = "undecided"
    if values and bound is not None:
        kept = [value >= bound if claim.at_least is not None else value <= bound for value in values.values()]
        verdict = "fail" if not all(kept) else "pass" if len(values) == len(found) else "undecided"
    seeds = ", ".join(f"seed {seed}: {value:.4g}" for seed, value in values.items())
    where = f"{claim.metric} {claim.variant} of {claim.method} {sign} {bound:g} in every seed"
    return {
        "claim": claim.sentence,
        "verdict": verdict,
        "effect": mean["value"] if mean else "",
        "low": mean["low"] if mean else "",
        "high": mean["high"] if mean else "",
        "p": "",
        "evidence": f"{where} ({seeds or 'no score'})",
    }
