"""Rows as text for a terminal, Markdown or CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

from benchmark.report.numbers import fraction, magnitude


def aligned(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Columns under their heads, two spaces apart; the first ``left`` columns hold words, the others numbers."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """The same as a table of GitHub's Markdown."""
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    lines = [list(head), rule, *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)


def comma_separated(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A CSV file with numbers in full; NaN is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_field(row[column]) for column in columns])
    return stream.getvalue()


def _field(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return str(value)


def estimate(value: float, low: float, high: float, *, bounded: bool = True) -> str:
    """``0.405 [0.302, 0.507]``; fractions have three decimals, other numbers three significant digits."""
    form = fraction if bounded else magnitude
    if math.isnan(value):
        return ""
    if math.isnan(low) or math.isnan(high):
        return f"{form(value)} [no interval]"
    return f"{form(value)} [{form(low)}, {form(high)}]"
