"""Sentences about scores that a test decides: pass, fail or undecided (docs/claims.md)."""

from benchmark.claims.decide import COLUMNS, ClaimRow, decide_all
from benchmark.claims.kinds import KINDS, Claim
from benchmark.claims.members import Member, members
from benchmark.claims.read import read_claims, read_costs

__all__ = [
    "COLUMNS",
    "KINDS",
    "Claim",
    "ClaimRow",
    "Member",
    "decide_all",
    "members",
    "read_claims",
    "read_costs",
]
