"""What a check found, for a terminal and for a pull request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.check.found import Moved, Part, count
from benchmark.errors import BenchmarkError

MOST_LINES = 25
"""Of one comparison in a terminal; the rest is counted."""

MOST_ROWS = 100
"""Of the table in a pull request."""

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable that names the file of a job's summary."""


def lines(parts: Iterable[Part]) -> list[str]:
    """The parts as text."""
    told: list[str] = []
    for part in parts:
        told += [f"DRIFT {one(moved)}" for moved in part.moved[:MOST_LINES]]
        if (more := len(part.moved) - MOST_LINES) > 0:
            told.append(f"... and {more} more")
        told += part.notes
        told += [f"not checked: {left.what} ({left.why})" for left in part.left]
        told.append(f"{part.suite}: {part.title}: {part.compared} compared, {len(part.moved)} moved")
    return told


def one(moved: Moved) -> str:
    """One thing that moved, in a line."""
    return (
        f"{moved.where}: {moved.name}: {moved.column}: recorded {moved.recorded}, found {moved.found}, "
        f"allowed {moved.allowed}"
    )


def verdict(parts: Sequence[Part]) -> str:
    """The first words of a summary."""
    compared, moved = count(parts)
    if moved:
        return f"{moved} moved"
    return f"all {compared} as recorded" if compared else "nothing was compared"


def require_something(parts: Sequence[Part]) -> None:
    """Refuses to call a check a success that has compared nothing, unless all that was left is excused.

    Raises:
        BenchmarkError: If nothing was compared, for no good reason.
    """
    compared, moved = count(parts)
    left = [left for part in parts for left in part.left]
    if not compared and not moved and not (left and all(each.excused for each in left)):
        raise BenchmarkError("nothing was compared", got=[f"{each.what}: {each.why}" for each in left] or None)


def markdown(parts: Sequence[Part]) -> str:
    """The parts as the summary of a pull request."""
    text = [f"## Regression check: {verdict(parts)}", ""]
    text += table(("suite", "what", "compared", "moved"), [(p.suite, p.title, p.compared, len(p.moved)) for p in parts])
    every = [(part.suite, *vars(moved).values()) for part in parts for moved in part.moved]
    if every:
        head = ("suite", "where", "row", "column", "recorded", "found", "allowed")
        text += ["", "### What moved", "", *table(head, every[:MOST_ROWS])]
        if (more := len(every) - MOST_ROWS) > 0:
            text += ["", f"… and {more} more."]
        text += ["", "Moved on purpose? docs/regression.md says how new numbers are recorded."]
    if notes := [note for part in parts for note in part.notes]:
        text += ["", "### Notes", "", *(f"- {_inline(note)}" for note in notes)]
    if left := [left for part in parts for left in part.left]:
        text += ["", "### Not checked", "", *(f"- {_inline(each.what)}: {_inline(each.why)}" for each in left)]
    return "\n".join([*text, ""])


def failed(error: Exception) -> str:
    """The summary of a check that could not be made."""
    return f"## Regression check: not possible\n\n{_inline(str(error))}\n"


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(_inline(str(cell)) or ' ' for cell in cells)} |"


def _inline(text: str) -> str:
    """On one line, and with nothing that ends a cell or starts a tag."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def publish(text: str) -> None:
    """Adds a summary to the job's, or prints it outside of GitHub."""
    if path := os.environ.get(SUMMARY):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
    else:
        print(text)
