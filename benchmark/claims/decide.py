"""From claims to verdicts: every member tested, Holm over each family, a row each.

A family is fixed by the claims file and the suite's lists, before any score: a member without a p-value (a missing
cell, one seed) counts in it as one that is not rejected. Pass where the adjusted p is at most alpha, fail where the
adjusted p of the opposite is, which has a Holm of its own; else undecided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from benchmark.cell import Cell
from benchmark.claims import ratios, scores
from benchmark.claims.check import check_claims, check_costs, check_members
from benchmark.claims.kinds import Claim, Ratio, Scored, Tested
from benchmark.claims.members import Member, members
from benchmark.claims.outcome import Outcome, Verdict
from benchmark.stats.compare import holm
from benchmark.stats.track import Track
from benchmark.stats.tracks import Key


@dataclass(frozen=True)
class ClaimRow:
    """A row of ``claims.csv``.

    Attributes:
        claim: The sentence.
        verdict: ``pass``, ``fail`` or ``undecided``.
        effect: The value, the difference (method minus the other) or the ratio; NaN if there is none.
        low: Lower bound of the effect, 95 %.
        high: Upper bound.
        p: Of the claim's test, Holm-adjusted over the family; NaN where none decides.
        evidence: What was compared, or why nothing was.
        name: Of the claim, with what tells its rows apart.
        source: Who says so.
        test: One of ``benchmark.claims.kinds.KINDS``.
        family: What Holm corrects over; empty where no p-value decides.
        alpha: Level of the family; NaN where no p-value decides.
        n_units: Test units behind the effect.
        n_seeds: Trainings behind it.
    """

    claim: str
    verdict: Verdict
    effect: float
    low: float
    high: float
    p: float
    evidence: str
    name: str
    source: str
    test: str
    family: str
    alpha: float
    n_units: int | None
    n_seeds: int | None


COLUMNS = tuple(field.name for field in fields(ClaimRow))


def decide_all(
    claims: Sequence[Claim],
    tracks: Mapping[Cell, Mapping[Key, Track]],
    costs: Sequence[Mapping[str, str]] = (),
    *,
    seeds: Mapping[Cell, Sequence[int]],
    cells: Sequence[Cell],
) -> list[ClaimRow]:
    """Decides the claims of a suite.

    Args:
        claims: From :func:`benchmark.claims.read_claims`.
        tracks: Of each cell that has scores; those of one task on the same draws.
        costs: Rows of costs.csv.
        seeds: Of each cell with scores, in the order of its tracks' values.
        cells: Of the suite, also those that were skipped: the rivals of a method are among them, whatever was run.

    Returns:
        One row for each dataset, bias, method and other method that a claim names, in the order of the claims.

    Raises:
        BenchmarkError: If a claim names what the suite does not have, asks of a metric what it cannot be, two rows
            have one name, or costs are no positive numbers within their bounds.
    """
    found = scores.Scores(tracks, seeds)
    asked = [member for claim in claims for member in members(claim, cells)]
    check_claims(claims)
    check_members(asked, cells)
    check_costs(costs)
    outcomes = [_outcome(member, found, costs) for member in asked]
    families: dict[str, list[int]] = {}
    for place, member in enumerate(asked):
        if isinstance(member.claim, Tested):
            families.setdefault(member.claim.in_family, []).append(place)
    p, opposite = (np.full(len(asked), np.nan) for _ in range(2))
    for places in families.values():
        p[places] = holm(np.array([outcomes[place].p for place in places]))
        opposite[places] = holm(np.array([outcomes[place].p_opposite for place in places]))
    return [_row(*each) for each in zip(asked, outcomes, p.tolist(), opposite.tolist(), strict=True)]


def _outcome(member: Member, found: scores.Scores, costs: Sequence[Mapping[str, str]]) -> Outcome:
    claim = member.claim
    if isinstance(claim, Scored) and member.cell is not None:
        return scores.outcome(member, claim, member.cell, found)
    if isinstance(claim, Ratio):
        return ratios.outcome(member, claim, costs)
    raise TypeError(f"claim {claim.name} is of no known kind")


def _row(member: Member, outcome: Outcome, p: float, opposite: float) -> ClaimRow:
    claim, verdict, family, alpha = member.claim, outcome.verdict, "", np.nan
    if isinstance(claim, Tested):
        family, alpha = claim.in_family, claim.alpha
        verdict = "pass" if p <= alpha else "fail" if opposite <= alpha else "undecided"
    return ClaimRow(
        claim=member.sentence,
        verdict=verdict,
        effect=outcome.effect,
        low=outcome.low,
        high=outcome.high,
        p=p,
        evidence=outcome.evidence,
        name=member.name,
        source=claim.source,
        test=claim.test,
        family=family,
        alpha=alpha,
        n_units=outcome.n_units,
        n_seeds=outcome.n_seeds,
    )
