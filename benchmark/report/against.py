"""What moved between two commits, suites or folders: the new value lies outside the band of both.

``|new - old| > sqrt(half_old² + half_new²)``, with half the 95 % interval of each: a prediction band, for both are
estimates. Of numbers whose truth is the same, up to one in twenty leaves it by luck if all trainings are new.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.report.commits import at_revision
from benchmark.report.records import Selection
from benchmark.report.rows import Line, parse, read_lines
from benchmark.report.select import RESULTS

VERDICTS = ("moved", "gone", "new", "no interval", "within")
COLUMNS = ("dataset", "bias", "method", "variant", "family", "metric", "value", "low", "high")
SAME = 1e-9
"""A smaller difference is none: other orders of the same sums."""

Key = tuple[str, str, str, str]
"""Task, method, variant and metric."""


@dataclass(frozen=True)
class Number:
    """A value with its interval, as ``summary.csv`` has it; ``None`` is not defined."""

    family: str
    value: float | None
    low: float | None
    high: float | None

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: What it is called.
        numbers: By task, method, variant and metric.
    """

    name: str
    numbers: Mapping[Key, Number]

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(key[0] for key in self.numbers))


@dataclass(frozen=True)
class Move:
    """A row of the comparison; ``band`` is the largest difference that both intervals allow."""

    task: str
    method: str
    variant: str
    metric: str
    verdict: str
    old: float | None
    old_low: float | None
    old_high: float | None
    new: float | None
    new_low: float | None
    new_high: float | None
    difference: float | None
    band: float | None


@dataclass(frozen=True)
class Comparison:
    """All rows of two sides, with what a reader must know of how they were matched."""

    old: str
    new: str
    moves: list[Move]
    notes: list[str]


def read_side(folder: Path) -> Side:
    """A results folder as one side.

    Raises:
        BenchmarkError: If it has no ``summary.csv``, or a row of it is wrong.
    """
    return Side(str(folder), _numbers(read_lines(folder / "summary.csv", COLUMNS)))


def find_side(name: str, folder: Path) -> Side:
    """The other side: a suite, a folder, or a git revision of a results folder.

    Args:
        name: The name of a suite, else the path of a folder, else a revision (``refs/heads/default`` is a branch that
            is called as a suite).
        folder: The results folder whose older state a revision names.

    Raises:
        BenchmarkError: If it is none of them.
    """
    for place in [RESULTS / name] * ("/" not in name) + [Path(name)]:
        if (place / "summary.csv").is_file():
            return read_side(place)
    if Path(name).is_dir():
        raise BenchmarkError("folder has no summary.csv", got=name, expected="the results folder of a suite")
    text = at_revision(folder, name, "summary.csv")
    return Side(f"{folder} at {name}", _numbers(parse(text.splitlines(), f"summary.csv at {name}", COLUMNS)))


def _numbers(lines: Iterable[Line]) -> dict[Key, Number]:
    found: dict[Key, Number] = {}
    for line in lines:
        cell = Cell(*(line.text(kind) for kind in COLUMNS[:3]))
        key = (cell.task, cell.method, line.text("variant"), line.text("metric"))
        if key in found:
            raise BenchmarkError(f"{line.where} is there twice", got=key, expected="one row a key")
        found[key] = Number(line.text("family"), *(line.number(name) for name in ("value", "low", "high")))
    return found


def compare(old: Side, new: Side, selection: Selection | None = None) -> Comparison:
    """Every number of both sides, matched by task, method, variant and metric.

    Sides without a common task are matched all the same if each has one task.

    Raises:
        BenchmarkError: If they have no common task and not one task each, or nothing is left to compare.
    """
    notes, before = [], dict(old.numbers)
    if not set(old.tasks) & set(new.tasks):
        if len(old.tasks) != 1 or len(new.tasks) != 1:
            raise BenchmarkError(
                f"tasks of {old.name} and {new.name}",
                got=f"{', '.join(old.tasks) or 'none'}; {', '.join(new.tasks) or 'none'}",
                expected="a common task, or one task on each side",
            )
        notes.append(f"Different tasks, matched because each side has one: old is {old.tasks[0]}, new {new.tasks[0]}.")
        before = {(new.tasks[0], *key[1:]): number for key, number in before.items()}
    moves = []
    for key in [*new.numbers, *(key for key in before if key not in new.numbers)]:
        one, other = before.get(key), new.numbers.get(key)
        if (selection is None or _shown(selection, key)) and any(n and n.value is not None for n in (one, other)):
            moves.append(_move(key, one, other))
    if not moves:
        raise BenchmarkError(f"nothing to compare in {old.name} and {new.name}", do="Choose other methods or metrics.")
    return Comparison(old.name, new.name, sorted(moves, key=lambda move: VERDICTS.index(move.verdict)), notes)


def _shown(selection: Selection, key: Key) -> bool:
    return selection.has(key[3]) and (selection.methods is None or key[1] in selection.methods)


def _move(key: Key, old: Number | None, new: Number | None) -> Move:
    one, other = old or Number("", None, None, None), new or Number("", None, None, None)
    difference = None if one.value is None or other.value is None else other.value - one.value
    band = None if one.half is None or other.half is None else math.hypot(one.half, other.half)
    verdict = _verdict(one, other, difference, band)
    ends = (one.value, one.low, one.high, other.value, other.low, other.high)
    return Move(*key, verdict, *ends, difference, band)


def _verdict(old: Number, new: Number, difference: float | None, band: float | None) -> str:
    if difference is None:
        return "gone" if new.value is None else "new"
    if abs(difference) <= SAME:
        return "within"
    return "no interval" if band is None else "moved" if abs(difference) > band else "within"
