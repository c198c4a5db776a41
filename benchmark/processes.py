"""Work on many things at once where Python's lock would be in the way: processes that are forked from this one.

They find all that is in memory without a copy; only what each gives is sent back.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from benchmark.errors import BenchmarkError
from benchmark.program import die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None
"""What the processes find when they are forked."""


def in_processes(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int | None = None,
    killed: str = "a process that computed tables was killed",
) -> list[Result]:
    """What the work gives for every item, in their order; its first error is raised.

    Args:
        work: Found by the processes in memory; it need not be picklable, and the items need not either.
        items: What is worked on.
        processes: How many at once; by default one a core.
        killed: What the error says of a process that was killed.

    Returns:
        Results, which must be picklable.

    Raises:
        BenchmarkError: If a process was killed from outside.
    """
    global _work
    things = list(items)
    processes = min(len(things), len(os.sched_getaffinity(0)) if processes is None else processes)
    if processes < 2 or _work is not None:
        return [work(thing) for thing in things]
    _work = work, things
    try:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(processes, fork, initializer=die_with_parent) as pool:
            return list(pool.map(_one, range(len(things))))
    except BrokenProcessPool as error:
        raise BenchmarkError(killed, do="Look at the memory that is free, and run the same command again.") from error
    finally:
        _work = None


def _one(place: int) -> Any:
    if _work is None:
        raise RuntimeError("a process was started without work")
    work, items = _work
    return work(items[place])
