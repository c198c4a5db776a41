"""Claims about scores: what they look at, and the p-value of the claim and of its opposite.

``p(b, +)`` is the one-sided p-value of "the true value is b or less", ``p(b, -)`` that of "b or more"
(:meth:`benchmark.claims.estimate.Estimate.p`). With bound b, margin m, and the gain, a difference turned so that more
is better:

    test             claim               p, at most 1             p of the opposite
    bound            value > b           p(b, +)                  p(b, -)
    superiority      gain > m            2 p(m, +)                2 p(m, -)
    non-inferiority  gain > -m           p(-m, +)                 p(-m, -)
    equivalence      -m < value < m      max(p(-m, +), p(m, -))   2 min(p(-m, -), p(m, +))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.cell import Cell
from benchmark.claims.check import ROUNDING
from benchmark.claims.estimate import Estimate, of_difference, of_value
from benchmark.claims.kinds import Bound, Bounded, Equivalence, EverySeed, NonInferiority, Scored, Superiority
from benchmark.claims.members import Member
from benchmark.claims.outcome import Outcome, Verdict
from benchmark.report.numbers import probability
from benchmark.stats.track import Track
from benchmark.stats.tracks import Key


@dataclass(frozen=True)
class Scores:
    """What was measured.

    Attributes:
        tracks: Of every cell; those of one task on the same draws.
        seeds: Of every cell, in the order of its tracks' values.
    """

    tracks: Mapping[Cell, Mapping[Key, Track]]
    seeds: Mapping[Cell, Sequence[int]]

    def track(self, cell: Cell, claim: Scored) -> Track | str:
        """The metric of a cell, or why there is none."""
        if cell not in self.tracks:
            return f"no such cell: {cell.key}"
        track = self.tracks[cell].get((claim.variant, claim.metric))
        if track is None:
            return f"{cell.key} has no {claim.metric} on {claim.variant}"
        return f"not defined for {cell.key}" if np.isnan(track.values).all() else track


def outcome(member: Member, claim: Scored, cell: Cell, scores: Scores) -> Outcome:
    """The test of one member."""
    where = f"{claim.metric} {claim.variant} of {cell.method}"
    ours = scores.track(cell, claim)
    if isinstance(claim, EverySeed):
        return _every_seed(f"{where} {_beyond(claim)} in every seed", ours, claim, scores.seeds.get(cell, ()))
    found: Estimate | str
    if isinstance(ours, str) or not hasattr(claim, "against") or claim.against is None:
        found = ours if isinstance(ours, str) else of_value(ours)
    elif member.other is None:
        found = "the suite has no rival"
    else:
        where = f"{where} minus {member.against}"
        found = _difference(cell, member.other, ours, claim, scores)
    better = ours.metric.higher_is_better if isinstance(ours, Track) else True
    asked = f"{where} {_asked(claim, better)}"
    if isinstance(found, str):
        return Outcome(f"{asked} (no test: {found})")
    p = p_values(claim, found, better)
    if np.isnan(p[0]):
        return Outcome.of(found, f"{asked} (no test: {found.reason})")
    told = f"p {probability(p[0])}, of the opposite {probability(p[1])}, each before Holm"
    return Outcome.of(found, f"{asked} ({told})", p=p)


def p_values(claim: Scored, found: Estimate, higher_is_better: bool) -> tuple[float, float]:
    """Of the claim and of its opposite, by the table above; NaN where there is no test."""
    sign = 1 if higher_is_better else -1
    match claim:
        case Bound():
            b, way = claim.limit
            return found.p(b, way), found.p(b, -way)
        case Superiority():
            b = sign * claim.margin
            return _twice(found.p(b, sign)), _twice(found.p(b, -sign))
        case NonInferiority():
            b = -sign * claim.margin
            return found.p(b, sign), found.p(b, -sign)
        case Equivalence():
            m = claim.margin
            within = float(np.maximum(found.p(-m, 1), found.p(m, -1)))
            return within, _twice(float(np.minimum(found.p(-m, -1), found.p(m, 1))))
    raise TypeError(f"{claim.test} has no p-value")


def _twice(p: float) -> float:
    """Both directions are asked at once."""
    return float(np.minimum(1, 2 * p))


def _every_seed(asked: str, ours: Track | str, claim: EverySeed, seeds: Sequence[int]) -> Outcome:
    """Fail where a seed breaks the bound, pass where all keep it: a seed without a score might break it."""
    if isinstance(ours, str):
        return Outcome(f"{asked} ({ours})")
    bound, way = claim.limit
    values = dict(zip(seeds, ours.values.tolist(), strict=True))
    known = {seed: value for seed, value in values.items() if not np.isnan(value)}
    verdict: Verdict = "pass" if len(known) == len(values) else "undecided"
    if any(way * (value - bound) < -ROUNDING for value in known.values()):
        verdict = "fail"
    told = [f"seed {seed}: {f'{value:.4g}' if seed in known else 'not defined'}" for seed, value in values.items()]
    return Outcome.of(of_value(ours), f"{asked} ({', '.join(told)})", verdict)


def _difference(cell: Cell, other: Cell, ours: Track, claim: Scored, scores: Scores) -> Estimate | str:
    theirs = scores.track(other, claim)
    if isinstance(theirs, str):
        return theirs
    if list(scores.seeds[cell]) != list(scores.seeds[other]):
        return "other seeds, which cannot be paired"
    return of_difference(ours, theirs)


def _beyond(claim: Bounded) -> str:
    bound, way = claim.limit
    return f"{'≥' if way > 0 else '≤'} {bound:g}"


def _asked(claim: Scored, higher_is_better: bool) -> str:
    """What the claim asks of the value or the difference."""
    match claim:
        case Bound():
            bound, way = claim.limit
            return f"{'>' if way > 0 else '<'} {bound:g}"
        case Superiority():
            return f"> {claim.margin:g}" if higher_is_better else f"< {0 - claim.margin:g}"
        case NonInferiority():
            return f"> {-claim.margin:g}" if higher_is_better else f"< {claim.margin:g}"
        case Equivalence():
            return f"within ±{claim.margin:g}"
    raise TypeError(f"{claim.test} asks nothing")
