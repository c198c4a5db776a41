"""What a comparison found: what moved, what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moved:
    """Something that is not as recorded.

    Attributes:
        where: The file it stands in, or ``reference`` or ``retrained``.
        name: Its row.
        column: Its column, or columns.
        recorded: As recorded; ``-`` where there was nothing.
        found: As found; ``missing`` where there is nothing.
        allowed: How far apart they may be, with the rule.
    """

    where: str
    name: str
    column: str
    recorded: str
    found: str
    allowed: str


@dataclass(frozen=True)
class Left:
    """Something that was not compared.

    Attributes:
        what: Its name.
        why: The reason.
        excused: Whether nothing is amiss: a stale suite, or a data set that nobody here may have.
    """

    what: str
    why: str
    excused: bool = False


@dataclass
class Part:
    """One comparison of one suite.

    Attributes:
        suite: Its name.
        title: What was held against what.
        compared: How many fields.
        moved: Those that are not as recorded.
        left: What was not compared.
        notes: What else a reader should know; no failure.
    """

    suite: str
    title: str
    compared: int = 0
    moved: list[Moved] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def count(parts: Iterable[Part]) -> tuple[int, int]:
    """How many fields were compared, and how many things moved."""
    parts = list(parts)
    return sum(part.compared for part in parts), sum(len(part.moved) for part in parts)
