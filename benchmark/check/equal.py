"""Two tables of the same kind, field by field: numbers equal to 1e-9, everything else to the letter."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from benchmark.check.found import Moved
from benchmark.check.tolerance import ROUNDING
from benchmark.errors import BenchmarkError

Key = tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """What a table is like.

    Attributes:
        row: The class of its rows: a ``float`` field is compared with a tolerance, every other column to the letter.
        key: The columns that name a row.
    """

    row: type
    key: Key

    @property
    def types(self) -> dict[str, type]:
        """The columns that the class names, with their types."""
        return get_type_hints(self.row)


def compare_tables(kind: Kind, committed: Path, fresh: Path) -> tuple[int, list[Moved]]:
    """Every field of a committed table against the same table made anew.

    Returns:
        How many fields were compared, and what moved: columns, rows that are gone, added or in another order, and
        fields, those of one row together.

    Raises:
        BenchmarkError: If a line of the committed table has too few or too many fields.
    """
    name = committed.name
    header, old = _read(committed, kind.key)
    columns, new = _read(fresh, kind.key)
    if header != columns:
        return 0, [Moved(name, "(all rows)", "columns", ", ".join(header), ", ".join(columns), "equal")]
    moved, compared, types = [], 0, kind.types
    for key in [*old, *(key for key in new if key not in old)]:
        row = " ".join(part for part in key if part)
        if key not in new or key not in old:
            recorded, found = ("row", "missing") if key in old else ("-", "row")
            moved.append(Moved(name, row, "(row)", recorded, found, "equal"))
            continue
        compared += len(columns)
        if differing := [c for c in columns if not same(old[key][c], new[key][c], types.get(c, str))]:
            first = differing[0]
            allowed = f"± {ROUNDING:g}" if types.get(first) is float else "equal"
            moved.append(Moved(name, row, ", ".join(differing), old[key][first], new[key][first], allowed))
    if not moved and list(old) != list(new):
        pair = next(keys for keys in zip(old, new, strict=True) if keys[0] != keys[1])
        recorded, found = (" ".join(key).strip() for key in pair)
        moved.append(Moved(name, "(order of rows)", "(row)", recorded, found, "equal"))
    return compared, moved


def same(recorded: str, found: str, kind: type) -> bool:
    """Whether two fields of a column agree; an empty number is one that is not defined, and agrees with none."""
    if recorded == found:
        return True
    if kind is not float or not recorded or not found:
        return False
    try:
        difference = abs(float(recorded) - float(found))
    except ValueError:
        return False
    return math.isfinite(difference) and difference <= ROUNDING


def _read(path: Path, key: Key) -> tuple[list[str], dict[Key, dict[str, str]]]:
    """The header, and rows by key; one that comes again has its number behind the key."""
    with path.open(newline="", encoding="utf-8") as stream:
        table = csv.reader(stream)
        header = next(table, [])
        rows: dict[Key, dict[str, str]] = {}
        if set(key) <= set(header):
            for row in _rows(path, table, header):
                name = named = tuple(row[column] for column in key)
                number = 1
                while named in rows:
                    number += 1
                    named = (*name, f"(number {number})")
                rows[named] = row
    return header, rows


def _rows(path: Path, table: Iterator[list[str]], header: list[str]) -> Iterator[dict[str, str]]:
    for number, line in enumerate(table, start=2):
        if len(line) != len(header):
            raise BenchmarkError(f"row {number} of {path}", got=f"{len(line)} fields", expected=f"{len(header)}")
        yield dict(zip(header, line, strict=True))
