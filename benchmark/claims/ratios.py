"""Claims about costs: a column of costs.csv of the method ÷ that of another method, within bounds.

The columns that end in ``_ratio`` are themselves ÷ the reference's, which cancels out. A ratio of timings is decided by
its interval, made of the intervals of both, ``[low_ours / high_theirs, high_ours / low_theirs]``: wider than needed,
since both share the reference's disturbances; by Bonferroni it holds the truth in at least 90 % of cases, whatever they
share. What is counted and not timed has no interval and is decided by its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.claims.check import ROUNDING
from benchmark.claims.kinds import Ratio
from benchmark.claims.members import Member
from benchmark.claims.outcome import Outcome, Verdict
from benchmark.report.words import REFERENCE

Row = Mapping[str, str]

COUNTED = ("params", "memory_ratio")
"""Columns that hardly vary from run to run."""


def outcome(member: Member, claim: Ratio, costs: Sequence[Row]) -> Outcome:
    """Pass where the interval lies within the bounds, fail where it lies outside, else undecided."""
    asked = f"{claim.column} of {member.method} ÷ {member.against or 'its rivals'} {_bounds(claim)}"
    rows = {row["method"]: row for row in costs}
    if lacking := [name for name in (member.method, member.against) if name not in rows]:
        where = "costs.csv is not there" if not rows else f"costs.csv has no {lacking[0] or 'rival'}"
        return Outcome(f"{asked} (undecided: {where})")
    ours, theirs = rows[member.method], rows[member.against]
    if np.isnan(_number(ours, claim.column) + _number(theirs, claim.column)):
        return Outcome(f"{asked} (undecided: costs.csv has no number to divide)")
    value = _number(ours, claim.column) / _number(theirs, claim.column)
    low, high = _interval(ours, theirs, claim.column)
    if not np.isnan(low + high):
        level = "" if REFERENCE in (member.method, member.against) else ", of two 95 % ones: at least 90 %"
        return Outcome(f"{asked} (decided by the interval{level})", _verdict(claim, low, high), value, low, high)
    if claim.column in COUNTED:
        return Outcome(f"{asked} (counted once: decided by the value)", _verdict(claim, value, value), value)
    return Outcome(f"{asked} (undecided: costs.csv has no interval of {claim.column})", effect=value)


def _interval(ours: Row, theirs: Row, column: str) -> tuple[float, float]:
    """Bounds of the quotient; NaN where a side has none."""
    (a, b), (c, d) = ([_number(row, f"{column}_{end}") for end in ("low", "high")] for row in (ours, theirs))
    return (a / d, b / c) if c > 0 and d > 0 else (np.nan, np.nan)


def _verdict(claim: Ratio, low: float, high: float) -> Verdict:
    least, most = claim.at_least or 0.0, claim.at_most or np.inf
    if least - ROUNDING <= low and high <= most + ROUNDING:
        return "pass"
    return "fail" if high < least - ROUNDING or low > most + ROUNDING else "undecided"


def _number(row: Row, column: str) -> float:
    return float(row.get(column) or np.nan)


def _bounds(claim: Ratio) -> str:
    ends = ((claim.at_least, "≥"), (claim.at_most, "≤"))
    return " and ".join(f"{sign} {value:g}" for value, sign in ends if value is not None)
