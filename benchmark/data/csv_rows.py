"""Rows of a published CSV file, each with its place, for errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmark.data.official import AGAIN, read_text
from benchmark.errors import BenchmarkError

Row = tuple[str, Mapping[str, str]]
"""``line 7 of train.csv``, and its fields by column."""


def read_csv(folder: Path, name: str, columns: Sequence[str], header: bool = True) -> Iterator[Row]:
    """The rows of a CSV file, as text. Other columns than those named may be there, too.

    Args:
        folder: The raw folder.
        name: The file, relative to it.
        columns: What must be there. Without a header: the columns in their order, and no others.
        header: Whether the first line names the columns.

    Raises:
        BenchmarkError: If the file is missing, no text or no CSV, lacks a column, or a row has too few fields.
    """
    text = io.StringIO(read_text(folder, name).removeprefix("\ufeff"), newline="")
    reader = csv.DictReader(text, None if header else list(columns), strict=True)
    try:
        found = reader.fieldnames or ()
        if lost := [column for column in columns if column not in found]:
            raise BenchmarkError(
                f"{name} lacks a column", got=", ".join(found)[:200], expected=f"also {lost[0]!r}", do=AGAIN
            )
        for row in reader:
            place = f"line {reader.line_num} of {name}"
            if any(row[column] is None for column in columns) or (not header and None in row):
                raise BenchmarkError(place, got=list(row.values()), expected=f"{len(found)} fields", do=AGAIN)
            yield place, row
    except csv.Error as error:
        raise BenchmarkError(
            f"{name} is no CSV", got=str(error), expected="commas and double quotes", do=AGAIN
        ) from error
