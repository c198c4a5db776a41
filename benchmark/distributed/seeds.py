"""What one rank does: every seed of a cell in turn, together with the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch.distributed as dist

from benchmark.api import Method
from benchmark.distributed.fit import DistributedFit, shared_out
from benchmark.distributed.group import Group
from benchmark.distributed.methods import way_of
from benchmark.distributed.ranks import Ranks, all_equal
from benchmark.errors import BenchmarkError
from benchmark.training import seed
from benchmark.training.job import Job

SIGNS = ("gloo", "nccl", "connection closed", "connection reset")
"""What torch's errors say where another process has gone away."""


def kinds(jobs: Sequence[Job]) -> list[tuple[Method, type[DistributedFit]]]:
    """The method of each job, and the training loop that shares it out.

    Raises:
        BenchmarkError: If a method cannot be shared out, with the reason.
    """
    methods = [(job.method, seed.make_method(job.method, job.options)) for job in jobs]
    return [(method, shared_out(way_of(name, method))) for name, method in methods]


def train(jobs: Sequence[Job], group: Group, local: int, report: seed.Report) -> None:
    """Trains the jobs that are not finished.

    Raises:
        BenchmarkError: As :func:`kinds`, or if the ranks do not agree on what they train.
    """
    with group.joined(local) as ranks:
        for job, (method, kind) in zip(jobs, kinds(jobs), strict=True):
            if not finished(job, ranks):
                seed.run(job, report, kind, group.fabric(local, job.training, method))


def finished(job: Job, ranks: Ranks) -> bool:
    """Whether a job's result is there.

    Raises:
        BenchmarkError: If the ranks have different jobs, or do not all see the result.
    """
    name = f"{job.cell.key} seed {job.seed}"
    said = ranks.told((job.fingerprint(), job.is_in(job.folder)))
    if not all_equal(fingerprint for fingerprint, _ in said):
        raise BenchmarkError(
            f"the processes would train different models of {name}",
            got=[fingerprint[:8] for fingerprint, _ in said],
            expected="equal code, settings, data and packages on all machines",
        )
    if not all_equal(there for _, there in said):
        raise BenchmarkError(
            f"not all processes see the finished {name}", do="Give all machines one shared folder runs/."
        )
    return bool(said[0][1])


def lost(error: RuntimeError) -> bool:
    """Whether an error says that another rank has gone away."""
    return isinstance(error, dist.DistError) or any(sign in str(error).lower() for sign in SIGNS)
