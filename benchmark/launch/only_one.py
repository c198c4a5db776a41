"""One launch of a project at a time: two would train the same cells."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.errors import BenchmarkError
from benchmark.paths import RUNS

LOCK = RUNS / ".work" / "launch" / "lock"


@contextmanager
def only_one(suite: str) -> Iterator[None]:
    """Holds the project's lock; the system lifts it when this process ends, however it ends.

    Raises:
        BenchmarkError: If another launch holds it.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            told = stream.read().strip()
            do = "Wait until it ends, or stop it with Ctrl-C."
            raise BenchmarkError("another launch runs in this project", got=told, do=do) from error
        stream.truncate(0)
        stream.write(f"suite {suite}, process {os.getpid()} of {socket.gethostname()}\n")
        stream.flush()
        yield
