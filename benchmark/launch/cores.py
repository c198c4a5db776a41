"""Cores of a machine that several schedulers use without knowing of each other: each takes free ones.

A core is taken by a lock on a file, which the system lifts when its holder ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def taken(count: int) -> Iterator[tuple[int, ...]]:
    """Takes ``count`` of the cores that this process may use; shares some where fewer are free."""
    folder = Path(tempfile.gettempdir()) / f"shortcut-bench-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    present, found = sorted(os.sched_getaffinity(0)), list[int]()
    with ExitStack() as stack:
        for core in present:
            if len(found) == count:
                break
            with ExitStack() as one:
                stream = one.enter_context((folder / str(core)).open("wb"))
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                stack.push(one.pop_all())
            found.append(core)
        shared = [core for core in present if core not in found]
        yield tuple(sorted(found + shared[: max(0, count - len(found))]))
