"""Edits of code that were shown to change no bit of what it computes: ``results/same_bits.csv``.

A trained model belongs to the hash of the code that trained it. Most edits of that code (a clearer error, a faster
loop) leave every bit of every model as it was, and training all again would show just that. ``python -m
pipelines.same_bits`` shows it on a small scale, with the old and the new code on one machine, and notes both hashes
here; from then on the new code answers to the name of the old.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from benchmark.errors import BenchmarkError

TABLE = Path(__file__).resolve().parent.parent / "results" / "same_bits.csv"
COLUMNS = ("kind", "name", "code", "same_as", "shown_on", "commit", "cpu", "torch")
"""Of the table: what is shown of (``training`` or ``scoring``) and its name; SHA-256 of the code and of the older code
that does the same; what both did; the older code's commit; the machine."""


@cache
def known(table: Path = TABLE) -> Mapping[str, str]:
    """Hash of edited code -> hash of the code before; nothing where there is no table (an installed package).

    Raises:
        BenchmarkError: If the table lacks a column or holds something that is no pair of hashes.
    """
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if not all(len(row.get(name) or "") == 64 for name in ("code", "same_as")):
            raise BenchmarkError(f"row of {table.name}", got=row, expected="two SHA-256 under code and same_as")
    return {row["code"]: row["same_as"] for row in rows}


def first_of(code: str, table: Mapping[str, str] | None = None) -> str:
    """The oldest code that gives the same bits, by its hash; the code itself where none is known.

    Args:
        code: SHA-256 of code.
        table: As :func:`known` gives it, by default.
    """
    table = known() if table is None else table
    seen = set[str]()
    while code in table and code not in seen:
        seen.add(code)
        code = table[code]
    return code if code not in seen else min(seen)  # edits to and fro: one name for all of them
