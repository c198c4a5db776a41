"""The first sheet of an Excel workbook (.xlsx) as text, without a package for one publisher's tables.

A workbook is a zip of XML files: cells of type ``s`` hold the number of a shared text, ``inlineStr`` their own text,
others a number. Source: ECMA-376, part 1, SpreadsheetML.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from benchmark.data.official import AGAIN, missing
from benchmark.errors import BenchmarkError

NAMES = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
SHEET, SHARED = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
MOST_BYTES = 64 * 2**20
"""A table of a hundred thousand rows has less."""


def read_sheet(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows below the first, by the first row's names; empty rows are left out.

    Args:
        folder: The raw folder.
        name: The workbook, relative to it.

    Raises:
        BenchmarkError: If the file is missing, damaged, huge or no workbook.
    """
    try:
        with zipfile.ZipFile(folder / name) as archive:
            shared = shared_texts(archive) if SHARED in archive.namelist() else []
            rows = [cells(row, shared) for row in parsed(archive, SHEET).iter(f"{NAMES}row")]
    except FileNotFoundError as error:
        raise missing(folder, name) from error
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, ValueError, IndexError, EOFError) as error:
        raise BenchmarkError(
            f"table {name} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="an Excel workbook (.xlsx)",
            do=AGAIN,
        ) from error
    header = {column: text.strip() for column, text in rows[0].items()} if rows else {}
    for row in rows[1:]:
        if any(row.values()):
            yield {title: row.get(column, "") for column, title in header.items()}


def parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """One of the workbook's XML files."""
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise ValueError(f"{name} has {archive.getinfo(name).file_size} bytes, more than {MOST_BYTES}")
    content = archive.read(name)
    if b"<!DOCTYPE" in content:  # it may define entities that grow without bounds
        raise ValueError(f"{name} has a document type")
    return ElementTree.fromstring(content)  # noqa: S314 - nothing but elements is left


def shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """Texts that cells name by their numbers; one text may be in several runs of letters."""
    return [
        "".join(part.text or "" for part in item.iter(f"{NAMES}t"))
        for item in parsed(archive, SHARED).iter(f"{NAMES}si")
    ]


def cells(row: ElementTree.Element, shared: list[str]) -> dict[str, str]:
    """Letters of the column to text."""
    found = {}
    for cell in row.iter(f"{NAMES}c"):
        column = re.sub(r"\d", "", cell.get("r", ""))
        value = cell.findtext(f"{NAMES}v", "")
        if cell.get("t") == "s":
            value = shared[int(value)]
        elif cell.get("t") == "inlineStr":
            value = "".join(part.text or "" for part in cell.iter(f"{NAMES}t"))
        found[column] = value
    return found
