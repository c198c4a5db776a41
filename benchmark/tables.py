"""Tidy tables as CSV: what is written reads back exactly, and NaN is an empty field."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np

from benchmark.errors import BenchmarkError
from benchmark.files import write_text

Row = TypeVar("Row")


def write_csv(path: Path, rows: Iterable[Any], columns: Sequence[str]) -> None:
    """Writes rows (dataclasses or mappings), atomically; floats so that they read back exactly, NaN as nothing.

    Raises:
        BenchmarkError: If a row lacks a column or has another one.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        record = row if isinstance(row, Mapping) else vars(row)  # a deep copy takes longer than the file
        if set(record) != set(columns):
            raise BenchmarkError(f"row of {Path(path).name}", got=sorted(record), expected=", ".join(columns))
        writer.writerow([_field(record[column]) for column in columns])
    write_text(path, stream.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text."""
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _field(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else str(value)


def read_csv(path: Path, kind: type[Row]) -> list[Row]:
    """Reads what :func:`write_csv` wrote from rows of one dataclass; an empty field of a number is NaN.

    Args:
        path: The file.
        kind: A dataclass with ``str``, ``int`` and ``float`` fields, such as :class:`benchmark.api.Score`.

    Raises:
        BenchmarkError: If the columns are not the dataclass's, or a field cannot be read as its type.
    """
    types = get_type_hints(kind)
    with Path(path).open(encoding="utf-8", newline="") as stream:
        table = csv.reader(stream)
        if (header := next(table, [])) != list(types):
            raise BenchmarkError(f"columns of {path}", got=header, expected=", ".join(types))
        return [kind(**_record(path, table.line_num, line, types)) for line in table]


def _record(path: Path, number: int, line: list[str], types: Mapping[str, type]) -> dict[str, Any]:
    if len(line) != len(types):
        raise BenchmarkError(f"line {number} of {path}", got=f"{len(line)} fields", expected=f"{len(types)}")
    record = {}
    for text, (name, kind) in zip(line, types.items(), strict=True):
        try:
            record[name] = math.nan if kind is float and text == "" else kind(text)
        except ValueError as error:
            raise BenchmarkError(f"{name} in line {number} of {path}", got=text, expected=f"{kind.__name__}") from error
    return record
