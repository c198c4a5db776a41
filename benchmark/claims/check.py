"""What makes a claim or a table of costs wrong, whatever the scores are: a typo must not end as "undecided".

Undecided is kept for what could have been there: a cell that was skipped or that the suite's lists leave out, a variant
or metric that this task lacks. Who runs two methods of a suite is not stopped by its claims about the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from benchmark.api import VARIANTS, Metric
from benchmark.cell import Cell
from benchmark.claims.kinds import Bounded, Claim, Column, Equivalence, Scored
from benchmark.claims.members import Member
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.metrics.named import metric_named
from benchmark.registry import BIASES, DATASETS, METHODS

ROUNDING = 1e-9
"""1 - 0.95 is a little more than 0.05: a bound is kept to within this."""


def check_claims(claims: Sequence[Claim]) -> None:
    """Whether variants, metrics, bounds and margins of claims can be meant.

    Raises:
        BenchmarkError: If a name is not one of the suite, or a number lies where the metric has no values.
    """
    for claim in claims:
        if isinstance(claim, Scored):
            if claim.variant not in VARIANTS:
                raise_unknown(f"variant of claim {claim.name!r}", claim.variant, VARIANTS)
            _check_numbers(claim, _metric(claim))


def check_members(asked: Sequence[Member], cells: Sequence[Cell]) -> None:
    """Whether every row is about names that the suite or the project has, and has a name of its own.

    Raises:
        BenchmarkError: If not.
    """
    known = {key: {getattr(cell, key) for cell in cells} for key in ("dataset", "bias", "method")}
    named: dict[str, Member] = {}
    for member in asked:
        where = f"claim {member.claim.name!r}"
        told = {"method": member.method} if member.cell is None else vars(member.cell)
        for key, name in told.items():
            if name not in known[key] and not is_known(key, name):
                raise_unknown(f"{key} of {where}", name, known[key])
        if member.against and member.against not in known["method"] and not is_known("method", member.against):
            raise_unknown(f"method in against of {where}", member.against, known["method"])
        if (first := named.setdefault(member.name, member)) is not member:
            raise BenchmarkError(
                f"claims {first.claim.name!r} and {member.claim.name!r} both have a row {member.name!r}",
                expected="each name once",
                do="Rename one of them.",
            )


def is_known(kind: str, name: str) -> bool:
    """Whether a dataset, bias or method is registered, or has settings of that name in the project."""
    registry = {"dataset": DATASETS, "bias": BIASES, "method": METHODS}[kind]
    folder = {"dataset": "datasets", "bias": "biases", "method": "methods"}[kind]
    return name in registry or any(Path("pipelines").glob(f"*/{folder}/{name}.yaml"))


def check_costs(costs: Sequence[Mapping[str, str]]) -> None:
    """Whether the rows of costs.csv can be divided; an empty field is a cost that was not measured.

    Raises:
        BenchmarkError: If a method is there twice, a cost is not a positive number, or lies outside its own bounds.
    """
    seen: set[str] = set()
    for row in costs:
        if not (method := row.get("method", "")) or method in seen:
            raise BenchmarkError("method in costs.csv", got=method, expected="a name in every row, each once")
        seen.add(method)
        for column in get_args(Column):
            low, value, high = (_cost(row, method, f"{column}{end}") for end in ("_low", "", "_high"))
            if low > value or value > high or low > high:  # NaN is not there
                got = f"{value:g} [{low:g}, {high:g}]"
                raise BenchmarkError(f"{column} of {method} in costs.csv", got=got, expected="low <= value <= high")


def _cost(row: Mapping[str, str], method: str, column: str) -> float:
    if not (text := row.get(column) or ""):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise BenchmarkError(f"{column} of {method} in costs.csv", got=text, expected="a positive number")
    return value


def _metric(claim: Scored) -> Metric:
    try:
        return metric_named(claim.metric)
    except BenchmarkError as error:
        what = f"{error.what} of claim {claim.name!r}"
        raise BenchmarkError(what, got=error.got, expected=error.expected, do=error.do) from error


def _check_numbers(claim: Scored, metric: Metric) -> None:
    low, high = metric.low, metric.high
    if isinstance(claim, Bounded) and not low <= (bound := claim.limit[0]) <= high:
        raise BenchmarkError(
            f"bound of claim {claim.name!r}",
            got=bound,
            expected=f"from {low:g} to {high:g}, as {metric.name} lies",
            do="A fraction, not a percentage.",
        )
    of_value = isinstance(claim, Equivalence) and claim.against is None
    span = max(abs(low), abs(high)) if of_value else high - low
    if (margin := getattr(claim, "margin", 0.0)) >= span:
        raise BenchmarkError(
            f"margin of claim {claim.name!r}",
            got=margin,
            expected=f"less than {span:g}, which {metric.name} cannot exceed",
            do="A fraction, not a percentage.",
        )
