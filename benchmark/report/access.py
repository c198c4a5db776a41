"""What methods see beside images and labels: tables go from those that see least to those that see most."""

from __future__ import annotations

from itertools import groupby

from benchmark.report.records import Run, Task
from benchmark.report.words import REFERENCE

ORDER = ("training masks", "group labels", "a validation set without bias", "external data", "masks at test")
"""From what is had most easily to what is had least; see :class:`benchmark.api.Needs`."""


def rank(needs: str) -> tuple[int, ...]:
    """Sorts what a method sees: nothing first; what is harder to have weighs more than all that is easier."""
    seen = needs.split(", ")
    return tuple(int(name in seen) for name in reversed(ORDER))


def by_access(task: Task) -> list[tuple[str, list[Run]]]:
    """The methods of a task in classes of equal access, from the least; within a class as the suite lists them."""
    runs = sorted(task.runs, key=lambda run: (rank(run.needs), run.needs))
    return [(needs, list(same)) for needs, same in groupby(runs, key=lambda run: run.needs)]


def peers(task: Task, needs: str) -> list[str]:
    """The methods of one class of access, and the reference, which every class is compared with."""
    return [run.cell.method for run in task.runs if run.needs == needs or run.cell.method == REFERENCE]
