"""Reads a suite's claims.yaml, and the table that claims about costs look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.api import Options
from benchmark.claims.kinds import KINDS, Claim, Tested
from benchmark.config import parse, read_yaml
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.tables import read_rows


class ClaimsFile(Options):
    """claims.yaml of a suite: a list, each entry checked by the class of its test."""

    claims: tuple[dict[str, Any], ...]


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of a suite; none without a file.

    Raises:
        BenchmarkError: If the file does not parse, a claim has no test or another than those of ``KINDS``, lacks a key
            or has one too many, or two claims share a name, or a family has two levels.
    """
    if not path.is_file():
        return ()
    entries = parse(ClaimsFile, read_yaml(path), str(path)).claims
    claims = tuple(_claim(entry, f"{path}: claim {i} {entry.get('name', '')!r}") for i, entry in enumerate(entries))
    _check(claims, path)
    return claims


def read_costs(path: Path) -> list[dict[str, str]]:
    """The rows of costs.csv as text; none without a file."""
    return read_rows(path) if path.is_file() else []


def _claim(entry: dict[str, Any], where: str) -> Claim:
    test = entry.get("test")
    if test is None:
        raise BenchmarkError(f"{where} has no test", expected=f"test: one of {', '.join(KINDS)}")
    if str(test) not in KINDS:
        raise_unknown(f"test of {where}", test, KINDS)
    return parse(KINDS[test], entry, where)


def _check(claims: Sequence[Claim], path: Path) -> None:
    for name, count in Counter(claim.name for claim in claims).items():
        if count > 1:
            raise BenchmarkError(f"{path}: claim {name!r} is there {count} times", expected="each name once")
    levels: dict[str, float] = {}
    for claim in claims:
        if isinstance(claim, Tested) and levels.setdefault(claim.in_family, claim.alpha) != claim.alpha:
            raise BenchmarkError(
                f"{path}: alpha of claim {claim.name!r}",
                got=claim.alpha,
                expected=f"{levels[claim.in_family]}, as the others of family {claim.in_family!r}",
            )
