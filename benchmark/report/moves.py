"""What moved, in print: Markdown for people, CSV and JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields

from benchmark.report.against import VERDICTS, Comparison, Move
from benchmark.report.export import table_text
from benchmark.report.numbers import Entry, estimate, fraction, magnitude
from benchmark.report.words import metric_words

FORMAT = 1
RULE = (
    "Moved: |new - old| > √(half_old² + half_new²), with half of each 95 % interval. Where nothing changed but the "
    "trainings, up to one number in twenty moves by luck; where nothing was trained anew, none may."
)
TITLES = {"moved": "Moved", "no interval": "No interval, so nothing is decided", "gone": "Gone", "new": "New"}


def csv_text(compared: Comparison) -> str:
    """Every row."""
    return table_text(map(asdict, compared.moves), [field.name for field in fields(Move)])


def json_text(compared: Comparison) -> str:
    """Every row, with the counts."""
    whole = {"format": FORMAT, "old": compared.old, "new": compared.new, "rule": RULE, "notes": compared.notes}
    whole |= {"counts": counts(compared), "rows": [asdict(move) for move in compared.moves]}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def counts(compared: Comparison) -> dict[str, int]:
    """How many rows each verdict has."""
    found = Counter(move.verdict for move in compared.moves)
    return {verdict: found[verdict] for verdict in VERDICTS}


def markdown_text(compared: Comparison) -> str:
    """The counts, what moved, the farthest first, and what has no partner; what stayed within is only counted."""
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts(compared).items())
    lines = [f"# What moved: `{compared.new}` against `{compared.old}`", "", f"{len(compared.moves)} numbers: {told}."]
    lines += ["", RULE, *(part for note in compared.notes for part in ("", note))]
    for verdict, title in TITLES.items():
        moves = [move for move in compared.moves if move.verdict == verdict]
        if moves:
            lines += ["", f"## {title}", "", *(_partners(moves) if verdict in ("gone", "new") else _rows(moves))]
    return "\n".join(lines) + "\n"


def _rows(moves: list[Move]) -> list[str]:
    """One line a number, the farthest outside its band first."""
    heads = ("Task", "Method", "Variant", "Metric", "Old", "New", "Difference", "Band")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * 4}{' ---: |' * 4}"]
    for move in sorted(moves, key=lambda move: -abs(move.difference or 0.0) / (move.band or 1.0)):
        bounded = metric_words(move.metric).bounded
        old = estimate(move.old, move.old_low, move.old_high, reason="no value", bounded=bounded)
        new = estimate(move.new, move.new_low, move.new_high, reason="no value", bounded=bounded)
        form = fraction if bounded else magnitude
        numbers = ["none" if number is None else form(number) for number in (move.difference, move.band)]
        names = (move.task, move.method, move.variant, move.metric)
        lines.append(f"| {' | '.join([*names, _words(old), _words(new), *numbers])} |")
    return lines


def _words(entry: Entry) -> str:
    return f"{entry.text} {entry.interval}".strip()


def _partners(moves: list[Move]) -> list[str]:
    """How many numbers of each method have no partner: their names where they are few."""
    found: dict[tuple[str, str], list[str]] = {}
    for move in moves:
        found.setdefault((move.task, move.method), []).append(f"{move.variant} {move.metric}")
    few = 6
    return [
        f"- {task}, {method}: {len(names)} ({', '.join(names[:few])}{', …' if len(names) > few else ''})"
        for (task, method), names in found.items()
    ]
