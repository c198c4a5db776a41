"""Who is ahead of the reference where the task is hardest, in one sentence or four: the comparison as a whole."""

from __future__ import annotations

from itertools import combinations

from benchmark.report.headline import LEVEL, apart, differs
from benchmark.report.numbers import probability
from benchmark.report.records import Summary, Task
from benchmark.report.words import REFERENCE, SHIFTS, listed

FEW = 4
"""Pairs that are named; of more, the number is told."""


def lead(task: Task) -> str:
    """Who is shown to be better or worse than the reference by accuracy on the shift; empty without a reference.

    Shown is a difference with a Holm-adjusted p below :data:`benchmark.report.headline.LEVEL`. Those ahead are told
    apart from those that see the same where their intervals do not meet, as the headline's bold has it. What is not
    shown is no equality.
    """
    if not task.shift or REFERENCE not in (task.whole or task).methods:
        return ""
    found = {method: task.summary.get((method, task.shift, "accuracy")) for method in task.methods}
    rows = {method: row for method, row in found.items() if row is not None and method != REFERENCE}
    if not rows:
        return ""
    better = {method: row for method, row in rows.items() if differs(row, 1.0)}
    worse = {method: row for method, row in rows.items() if differs(row, -1.0)}
    rest = [method for method in rows if method not in better and method not in worse]
    where, below = SHIFTS[task.shift].capitalize(), f" with a Holm-adjusted p below {LEVEL}"
    lines = [f"{where}, {_who(better)} shown to be more accurate than {REFERENCE}{_largest(better) or below}."]
    lines.append(_among(better, {run.cell.method: run.needs for run in task.runs}))
    lines.append(f"{_first(_who(worse))} shown to be less accurate than {REFERENCE}{_largest(worse)}.")
    if rest:
        lines.append(f"Not shown to differ from {REFERENCE}, which is no proof that they are alike: {listed(rest)}.")
    return " ".join(filter(None, lines))


def _who(rows: dict[str, Summary]) -> str:
    return f"{listed(list(rows))} {'are' if len(rows) > 1 else 'is'}" if rows else "no method is"


def _first(text: str) -> str:
    return text.replace("no method", "No method", 1) if text.startswith("no method") else text


def _largest(rows: dict[str, Summary]) -> str:
    known = [row.p_holm for row in rows.values() if row.p_holm is not None]
    return "" if not known else f" (Holm-adjusted p {probability(max(known))}{' at most' if len(known) > 1 else ''})"


def _among(rows: dict[str, Summary], sees: dict[str, str]) -> str:
    """Whether those ahead that see the same are told apart from each other; empty where no two do."""
    pairs = [(one, other) for one, other in combinations(rows, 2) if sees[one] == sees[other]]
    told = [(one, other) for one, other in pairs if apart(rows[one], rows[other])]
    alike = len({sees[method] for method in rows}) == 1
    if not pairs:
        return ""
    if not told:
        who = "They" if alike else "Those of them that see the same"
        return f"{who} are not told apart from each other: their intervals meet."
    if len(told) == len(pairs):
        who = "All of them" if alike else "All of them that see the same"
        return f"{who} are told apart from each other: no two intervals meet."
    if len(told) > FEW:
        of = "" if alike else " of methods that see the same"
        return (
            f"Of their {len(pairs)} pairs{of} {len(told)} are told apart by intervals that do not meet, the others not."
        )
    ordered = [sorted(pair, key=lambda method: -(rows[method].value or 0.0)) for pair in told]
    names = listed([f"{high} is ahead of {low}" for high, low in ordered])
    who = "Among themselves" if alike else "Of those that see the same,"
    return f"{who} {names} by intervals that do not meet; the others are not told apart from each other."
