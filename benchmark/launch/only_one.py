"""One launch of a project at a time, and none beside a `dvc repro` of its cells: two would train the same ones."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

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


def refuse_beside_dvc(folder: Path, outs: Collection[str]) -> None:
    """Refuses where a DVC command makes one of these outputs now.

    Args:
        folder: Of DVC's temporary files; ``rwlock`` there names what each command reads and writes while it runs.
        outs: Outputs, as absolute paths.

    Raises:
        BenchmarkError: Naming the command.
    """
    try:
        written = json.loads((folder / "rwlock").read_text(encoding="utf-8")).get("write", {})
    except (FileNotFoundError, json.JSONDecodeError):  # the second: DVC is at it, or will say it is bad
        return
    for path, by in written.items():
        if path in outs and _runs(int(by["pid"])):
            told, do = f"process {by['pid']}: {by['cmd']}", "Wait until it ends, or stop it with Ctrl-C."
            raise BenchmarkError(f"a DVC command makes {path}, which this launch would make", got=told, do=do)


def _runs(pid: int) -> bool:
    """A killed command leaves its name in the file."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
