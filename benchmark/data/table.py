"""A user's table of images: ``file,label,source,split,patient,mask`` and, where wanted, ``mask_kind`` and ``id``.

Every mistake that people make in such a table is one sentence with the line where it is.
"""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

from benchmark.errors import BenchmarkError

REQUIRED = ("file", "label", "source", "split", "patient", "mask")
OPTIONAL = ("mask_kind", "id")
FILLED = ("file", "label", "source")
"""Columns in which no row may be empty."""
LONGEST = 1000
NOT_A_NUMBER = ("nan", "<na>")
"""What programs write where a label is missing: it would become a class."""


def read_table(path: Path, where: str) -> dict[str, list[str]]:
    """The columns of a table, each a list of as many texts.

    UTF-8 with or without a byte-order mark, any line ends, RFC 4180 quotes. Columns of other names are left out, unless
    they look like a misspelt one.

    Args:
        path: The CSV file.
        where: How errors call it.

    Raises:
        BenchmarkError: If the file is missing, no text, no CSV with commas; lacks a column or names one twice; has a
            line with too few or too many fields, an empty file, label or source, a label NaN, or a value with blanks
            around it or control characters.
    """
    rows, lines = read_rows(path, where)
    header = rows[0]
    check_header(header, where)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise BenchmarkError(
                f"line {line} of {where}",
                got=f"{len(row)} fields",
                expected=f"{len(header)}, as in the first line",
                do="Put a value that holds a comma in double quotes.",
            )
    if len(rows) == 1:
        raise BenchmarkError(f"{where} has no row below its header", do="List the images, one a line.")
    columns = dict(zip(header, (list(column) for column in zip(*rows[1:], strict=True)), strict=True))
    found = {name: columns[name] for name in (*REQUIRED, *OPTIONAL) if name in columns}
    for name, values in found.items():
        check_values(name, values, lines[1:], where)
    return found


def read_rows(path: Path, where: str) -> tuple[list[list[str]], list[int]]:
    """Rows that hold anything, and the number of the line on which each ends."""
    if not path.is_file():
        raise BenchmarkError(f"{where} is missing", got=str(path), expected=f"a CSV file: {','.join(REQUIRED)}")
    rows, lines = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{where} is not UTF-8 text", got=str(error), do="Save it as CSV, UTF-8.") from error
    except csv.Error as error:
        raise BenchmarkError(f"{where} is no CSV", got=str(error), expected="commas, and double quotes") from error
    if not rows:
        raise BenchmarkError(f"{where} is empty", expected=f"a header: {','.join(REQUIRED)}")
    return rows, lines


def check_header(header: list[str], where: str) -> None:
    """Refuses a header that lacks a column, or names one twice or nearly."""
    for mark in (";", "\t", "|"):
        if len(header) == 1 and mark in header[0]:
            raise BenchmarkError(f"{where}: delimiter", got=mark, expected="','", do="Save it with commas.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BenchmarkError(f"{where} names a column twice", got=twice[0], do="Take one out.")
    if missing := [name for name in REQUIRED if name not in header]:
        raise BenchmarkError(
            f"{where} lacks columns",
            got=", ".join(header),
            expected=f"also {', '.join(missing)}",
            do="A column may be empty but for file, label and source.",
        )
    for name in set(header) - {*REQUIRED, *OPTIONAL}:
        if close := difflib.get_close_matches(name.lower(), OPTIONAL, n=1, cutoff=0.7):
            raise BenchmarkError(f"{where}: column", got=name, expected=f"{close[0]!r}, or another name")


def check_values(name: str, values: list[str], lines: list[int], where: str) -> None:
    """Refuses blanks around a value, one that no line can show, and an empty one where something must stand."""
    for line, value in zip(lines, values, strict=True):
        if len(value) > LONGEST or not value.isprintable():
            got, expected = value[:80], f"at most {LONGEST} letters, none of them a control character"
            raise BenchmarkError(f"{name} in line {line} of {where}", got=got, expected=expected)
        if name == "label" and value.lower() in NOT_A_NUMBER:
            raise BenchmarkError(f"label in line {line} of {where}", got=value, expected="the name of a class")
        if value != value.strip():
            raise BenchmarkError(f"{name} in line {line} of {where}", got=value, expected="no blanks around it")
        if not value and name in FILLED:
            raise BenchmarkError(f"{name} in line {line} of {where}", got="", expected="some text")
