"""The engine of one machine: a process a cell, each on its own cores, with its own GPU where there are any."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.errors import BenchmarkError
from benchmark.launch import child
from benchmark.launch.work import Outcome, Work


@dataclass(frozen=True)
class Slot:
    """The share of the machine that one cell gets; ``gpu`` is empty where it must not see one."""

    number: int
    cores: tuple[int, ...]
    gpu: str = ""

    def __str__(self) -> str:
        return f"gpu {self.gpu}" if self.gpu else f"core {','.join(map(str, self.cores))}"


@dataclass
class Running:
    """A started command."""

    work: Work
    slot: Slot
    process: subprocess.Popen[bytes]
    since: float


def make_slots(jobs: int, cpus: int, gpus: Sequence[str], cores: Sequence[int] | None = None) -> list[Slot]:
    """Shares a machine among ``jobs`` cells: ``cpus`` cores each, GPUs in turn.

    Cores are shared out from the first to the last and then again: where there are fewer than asked for, cells share
    them, and the clock shows it.

    Raises:
        BenchmarkError: If a number is below 1, or a cell is to have more cores than there are.
    """
    present = sorted(os.sched_getaffinity(0)) if cores is None else cores
    if jobs < 1:
        raise BenchmarkError("--jobs", got=jobs, expected="1 or more")
    if not 1 <= cpus <= len(present):
        raise BenchmarkError("--cpus", got=cpus, expected=f"1 to {len(present)}, the cores of this machine")
    shares = [tuple(sorted({present[(job * cpus + k) % len(present)] for k in range(cpus)})) for job in range(jobs)]
    return [Slot(job, share, gpus[job % len(gpus)] if gpus else "") for job, share in enumerate(shares)]


class Local:
    """Processes of this machine.

    Args:
        slots: One for each cell that may run at once.
    """

    name, look_s = "local", 0.1

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.free = list(slots)
        self.total = len(slots)

    @property
    def slots(self) -> int:
        return self.total

    def submit(self, works: Sequence[Work]) -> list[Running]:
        running = []
        for work in works:
            process = child.start(work, self.free[0].gpu, self.free[0].cores)
            running.append(Running(work, self.free.pop(0), process, time.monotonic()))
        return running

    def poll(self, handle: Running) -> Outcome | None:
        code = handle.process.poll()
        if code is None:
            return None
        child.end([handle.process], grace_s=1.0)  # what the command left behind
        self.free.append(handle.slot)
        return Outcome(code, time.monotonic() - handle.since, self.where(handle))

    def where(self, handle: Running) -> str:
        return f"{socket.gethostname()} {handle.slot}"

    def cancel(self, handles: Sequence[Running]) -> None:
        child.end([handle.process for handle in handles])
        self.free += [handle.slot for handle in handles]

    def close(self) -> None:
        """Nothing stays."""
