"""Reads the tidy tables (``csv`` instead of pandas: the report has to start fast)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.report.records import Claim, Summary, Task

VERDICTS = ("pass", "fail", "undecided")
SUMMARY = ("dataset", "bias", "method", "variant", "family", "metric", *(f.name for f in fields(Summary)))
SCORES = ("dataset", "bias", "method", "seed", "variant", "family", "metric", "value", "n_units")
CLAIMS = tuple(f.name for f in fields(Claim) if f.default is MISSING)


def missing(path: Path) -> BenchmarkError:
    """The error for a file that is not there."""
    return BenchmarkError(f"{path.name} is missing", got=str(path), do="Run the pipeline first.")


@dataclass(frozen=True)
class Line:
    """One line of a table, with its place for the error."""

    where: str
    fields: dict[str, str]

    def text(self, column: str) -> str:
        return self.fields[column]

    def number(self, column: str) -> float | None:
        """The number in a column; ``None`` where the field is empty.

        Raises:
            BenchmarkError: If the text is no finite number.
        """
        text = self.fields[column].strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(column, text, "a finite number, or an empty field for 'not defined'")
        return value

    def count(self, column: str) -> int | None:
        """The whole number in a column; ``None`` where the field is empty.

        Raises:
            BenchmarkError: If the text is no whole number.
        """
        value = self.number(column)
        if value is not None and value != int(value):
            raise self.error(column, self.fields[column], "a whole number")
        return None if value is None else int(value)

    def error(self, column: str, got: str, expected: str) -> BenchmarkError:
        return BenchmarkError(f"{self.where}, column {column!r}", got=got, expected=expected)

    def task(self, tasks: dict[str, Task]) -> tuple[Task, str]:
        """The task and the method of the line.

        Raises:
            BenchmarkError: If they are no cell of the suite.
        """
        cell = Cell(*(self.fields[kind] for kind in ("dataset", "bias", "method")))
        task = tasks.get(cell.task)
        if task is None or cell.method not in task.methods:
            known = [run.cell.key for each in tasks.values() for run in each.runs]
            raise_unknown(f"cell in {self.where}", cell.key, known, "suite.json lists the cells.")
        return task, cell.method


def read_lines(path: Path, columns: tuple[str, ...]) -> Iterator[Line]:
    """The lines of a CSV file that has at least these columns.

    Raises:
        BenchmarkError: If the file is missing or not CSV, lacks a column, or a line has another number of fields.
    """
    try:
        stream = path.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise missing(path) from None
    with stream:
        yield from parse(stream, path.name, columns)


def parse(stream: Iterable[str], name: str, columns: tuple[str, ...]) -> Iterator[Line]:
    """The lines of CSV text that has at least these columns.

    Raises:
        BenchmarkError: If it is not CSV, lacks a column, or a line has another number of fields.
    """
    try:
        reader = csv.reader(stream, strict=True)
        head = next(reader, [])
        lacking = [column for column in columns if column not in head]
        if lacking:
            raise BenchmarkError(f"{name} lacks column {lacking[0]!r}", got=",".join(head), expected=",".join(columns))
        for texts in reader:
            where = f"{name} line {reader.line_num}"
            if len(texts) != len(head):
                raise BenchmarkError(where, got=f"{len(texts)} fields", expected=str(len(head)))
            yield Line(where, dict(zip(head, texts, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{name} is not CSV in UTF-8", got=str(error)) from error


def _empty(path: Path) -> BenchmarkError:
    return BenchmarkError(f"{path.name} is empty", expected="at least one row", do="Run the pipeline first.")


def read_summary(path: Path, tasks: dict[str, Task]) -> None:
    """Puts the rows of ``summary.csv`` into their tasks.

    Raises:
        BenchmarkError: If the table is missing, empty, not CSV, or a row is wrong.
    """
    line = None
    for line in read_lines(path, SUMMARY):
        task, method = line.task(tasks)
        key = (method, line.text("variant"), line.text("metric"))
        if key in task.summary:
            raise BenchmarkError(f"{line.where} is there twice", got=key, expected="one row a key")
        numbers = {f.name: line.number(f.name) for f in fields(Summary) if not f.name.startswith("n_")}
        for name in ("low", "diff_low"):
            high = name.replace("low", "high")
            low_value, high_value = numbers[name], numbers[high]
            if low_value is not None and high_value is not None and low_value > high_value:
                raise line.error(name, line.text(name), f"at most {high} = {line.text(high)}")
        task.families[key[2]] = line.text("family")
        task.summary[key] = Summary(line.count("n_units"), line.count("n_seeds"), **numbers)
    if line is None and tasks:
        raise _empty(path)


def read_scores(path: Path, tasks: dict[str, Task]) -> None:
    """Puts the values of ``scores.csv`` into their tasks.

    Raises:
        BenchmarkError: If the table is missing, empty, not CSV, or a row is wrong.
    """
    line = None
    for line in read_lines(path, SCORES):
        task, method = line.task(tasks)
        seed = line.count("seed")
        if seed is None:
            raise line.error("seed", "", "a whole number")
        key = (method, seed, line.text("variant"), line.text("metric"))
        if key in task.scores:
            raise BenchmarkError(f"{line.where} is there twice", got=key, expected="one row a key")
        task.scores[key] = line.number("value")
    if line is None and tasks:
        raise _empty(path)


def read_claims(path: Path) -> list[Claim] | None:
    """The rows of ``claims.csv``; ``None`` where the file is absent.

    Raises:
        BenchmarkError: If the table is not CSV, or a row is wrong.
    """
    if not path.exists():
        return None
    claims = []
    for line in read_lines(path, CLAIMS):
        if line.text("verdict") not in VERDICTS:
            raise line.error("verdict", line.text("verdict"), f"one of {', '.join(VERDICTS)}")
        effect, low, high, p = (line.number(name) for name in ("effect", "low", "high", "p"))
        claims.append(
            Claim(
                line.text("claim"),
                line.text("verdict"),
                line.text("evidence"),
                effect,
                low,
                high,
                p,
                name=line.fields.get("name", ""),
                source=line.fields.get("source", ""),
                test=line.fields.get("test", ""),
                family=line.fields.get("family", ""),
                alpha=line.number("alpha") if "alpha" in line.fields else None,
                n_units=line.count("n_units") if "n_units" in line.fields else None,
                n_seeds=line.count("n_seeds") if "n_seeds" in line.fields else None,
            )
        )
    return claims
