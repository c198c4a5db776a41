"""Peak memory of a training step above model and images, each in a fresh process.

The processes are forked from one that has imported everything and computed nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch

from benchmark.backbone import import_timm
from benchmark.memory import in_child, measured_by, peak
from pipelines import program
from pipelines.lrp_bench.cases import CASES, Problem, Training


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
    return dict(zip(jobs, measured_by(__name__, json.dumps(jobs)), strict=True))


def measure(job: Job) -> int:
    """Bytes of one step, in the child."""
    problem = Problem.make(job.network, job.px, job.device)
    step = Training(problem, CASES[job.case] if job.case else None, job.maps)
    return peak(step, step.release, job.device)


def main() -> None:
    """Jobs from the command line, bytes to the standard output."""
    program.die_with_parent()
    torch.set_num_threads(1)
    import_timm()
    found = []
    jobs = [Job(*each) for each in json.loads(sys.argv[1])]
    for number, job in enumerate(jobs, start=1):
        place = f"[{job.device}] {job.network}, {job.px} px, {job.case or 'plain'}"
        print(f"peak memory, {number} of {len(jobs)}: {place}", file=sys.stderr, flush=True)
        found.append(in_child(place, measure, job))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
