"""One command in a process group of its own, whose end is the end of all its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from benchmark.launch.work import Work

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
GRACE_S = 10.0
"""From SIGTERM to SIGKILL."""


def environment(gpu: str | None = None) -> dict[str, str]:
    """The machine's environment, one thread a process, this interpreter first in ``PATH``, and the slot's GPU.

    One thread whatever the cores, because the order of sums, hence the last bit, depends on it: a cell uses its cores
    by training its seeds side by side.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    changes = {"PATH": path, "PYTHONUNBUFFERED": "1", **dict.fromkeys(THREADS, "1")}
    return {**os.environ, **changes, **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})}


def start(work: Work, gpu: str | None = None, cores: Iterable[int] = ()) -> subprocess.Popen[bytes]:
    """Starts the command; it ends with this process, however that ends.

    Args:
        work: The command.
        gpu: What ``CUDA_VISIBLE_DEVICES`` is set to; ``None`` leaves it as it is.
        cores: Where the command may run; it counts them to choose how many processes it starts. Empty: anywhere.
    """
    command = [sys.executable if work.command[0] in ("python", "python3") else work.command[0], *work.command[1:]]
    leash = [sys.executable, "-m", "benchmark.launch.leash", str(os.getpid()), ",".join(map(str, cores)) or "-"]
    work.log.parent.mkdir(parents=True, exist_ok=True)
    with work.log.open("ab") as log:
        return subprocess.Popen(
            [*leash, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(gpu),
            start_new_session=True,
        )


def end(processes: Iterable[subprocess.Popen[bytes]], grace_s: float = GRACE_S) -> None:
    """Ends the groups of these processes, the deaf ones after a while by SIGKILL."""
    groups = list(processes)
    for process in groups:
        signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while any(alive(process) for process in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in groups:
        signal_group(process, signal.SIGKILL)
        process.wait()


def alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the group is there; the first one is reaped if it has ended."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):  # the second: the number is somebody else's by now
        return False
    return True


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to whatever is left of the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
