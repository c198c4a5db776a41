"""Reads any tidy table into a dataclass of texts, numbers and truths.

A results folder of an older suite may lack a table: then nothing is told of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TypeVar

from benchmark.report.measures import Measure
from benchmark.report.rows import Line, read_lines

T = TypeVar("T")


def read_measures(folder: Path) -> dict[str, Measure]:
    """By name, in the order of the file."""
    return {measure.metric: measure for measure in read(folder / "metrics.csv", Measure)}


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """The rows of a table, which may be missing; so may a column that has a default.

    Raises:
        BenchmarkError: If another column is missing or a field is not what it should be.
    """
    if not path.is_file():
        return
    types = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    needed = tuple(field.name for field in fields(kind) if field.default is MISSING)  # type: ignore[arg-type]
    for line in read_lines(path, needed):
        yield kind(**{name: _value(line, name, type_) for name, type_ in types.items() if name in line.fields})


def _value(line: Line, name: str, kind: str) -> str | float | bool | None:
    if kind == "bool":
        text = line.text(name)
        if text not in ("True", "False"):
            raise line.error(name, text, "True or False")
        return text == "True"
    return line.text(name) if kind == "str" else line.number(name)
