"""Peak memory of a training step above model and images, each in a fresh process.

On the CPU it is the peak of the resident set (VmHWM in Linux's /proc/self/status, which writing 5 to
/proc/self/clear_refs resets), with an allocator that hands freed memory back at once; on a GPU, what PyTorch allocated.
The processes are forked from one that has imported everything and computed nothing.
"""

from __future__ import annotations

import ctypes
import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

from benchmark.backbone import import_timm
from benchmark.errors import BenchmarkError
from pipelines import program
from pipelines.lrp_bench.cases import CASES, Problem, Training

RETURN_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}


class Job(NamedTuple):
    """One training step; ``case`` None is the plain one."""

    network: str
    px: int
    case: str | None
    maps: int
    device: str


def peaks(jobs: Sequence[Job]) -> dict[Job, int]:
    """Bytes of each job.

    Raises:
        BenchmarkError: If a step failed.
    """
    command = [sys.executable, "-m", __name__, json.dumps(jobs)]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise BenchmarkError("peak memory could not be measured", do="The reason is above.")
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


def environment() -> dict[str, str]:
    """This process's, with no other settings of the allocator than ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | RETURN_AT_ONCE


def status(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"/proc/self/status has no {field}", do="Measure on Linux.")
    return 1024 * int(found[1])


def peak(step: Training, device: str) -> int:
    """Bytes that a step needs beyond what is there before it and stays."""
    step()  # what a first call sets up once
    step.release()
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    step()
    return status("VmHWM") - before


def measure(job: Job, result: Connection) -> None:
    """In the child."""
    problem = Problem.make(job.network, job.px, job.device)
    result.send(peak(Training(problem, CASES[job.case] if job.case else None, job.maps), job.device))


def main() -> None:
    """Jobs from the command line, bytes to the standard output."""
    program.die_with_parent()
    torch.set_num_threads(1)
    import_timm()
    fork = multiprocessing.get_context("fork")
    found = []
    jobs = [Job(*each) for each in json.loads(sys.argv[1])]
    for number, job in enumerate(jobs, start=1):
        place = f"[{job.device}] {job.network}, {job.px} px, {job.case or 'plain'}"
        print(f"peak memory, {number} of {len(jobs)}: {place}", file=sys.stderr, flush=True)
        ours, theirs = fork.Pipe(duplex=False)
        child = fork.Process(target=measure, args=(job, theirs))
        child.start()
        theirs.close()
        found.append(ours.recv())
        child.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
