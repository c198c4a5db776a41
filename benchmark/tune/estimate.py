"""How long a training takes: a few steps of it, run twice and measured the second time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from benchmark.errors import BenchmarkError
from benchmark.seeding import torch_stream
from benchmark.training.data import Sets, Tensors, load_sets
from benchmark.training.device import allow_tf32, fabric_of
from benchmark.training.fit import Fit, State
from benchmark.training.job import Job
from benchmark.training.seed import limit_threads, make_method, task_of

STEPS = 8
"""Of each phase."""


@dataclass(frozen=True)
class Cost:
    """What a training takes.

    Attributes:
        epochs: Of all its phases.
        seconds: In one process; NaN where the few steps failed (the training may yet come to an end).
    """

    epochs: int
    seconds: float


def epochs_of(job: Job) -> int:
    """Epochs of all phases, which may depend on the method's settings."""
    return sum(phase.epochs for phase in make_method(job.method, job.options).phases(job.training.epochs))


def cost(job: Job) -> Cost:
    """What the job's training takes on this machine.

    Raises:
        BenchmarkError: If the method cannot be built on the task.
    """
    limit_threads()
    method = make_method(job.method, job.options)
    phases = method.phases(job.training.epochs)
    epochs = epochs_of(job)
    allow_tf32(job.training.tf32)
    fabric = fabric_of(job.training, method)
    whole = load_sets(job.pack, method.needs, fabric.device)
    count = min(len(whole.train), STEPS * job.training.batch_size)
    share = count / len(whole.train)
    few = Sets(some(whole.train, count), some(whole.val, max(1, round(share * len(whole.val)))), whole.balanced)
    task = replace(task_of(whole.train, job.training.backbone), images=count)
    training = job.training.model_copy(update={"epochs": 1})
    seconds = math.nan
    for _ in range(2):  # the first run also pays for what is set up once
        fit = Fit(method, task, training, job.seed, few, fabric)
        try:
            each = seconds_of_epochs(fit)
        except BenchmarkError:
            return Cost(epochs, math.nan)
        mean = sum(each.values()) / len(each)
        fixed = fit.state.seconds - sum(spent for spent in each.values())
        seconds = fixed + sum(phase.epochs * each.get(at, mean) / share for at, phase in enumerate(phases))
    return Cost(epochs, seconds)


def some(tensors: Tensors, count: int) -> Tensors:
    """A random part of a set, always the same."""
    rows = torch.randperm(len(tensors), generator=torch_stream(0, "estimate"))[:count].to(tensors.label.device)
    names = ("image", "mask", "label", "code")
    return replace(tensors, **{name: getattr(tensors, name)[rows] for name in names})


def seconds_of_epochs(fit: Fit) -> dict[int, float]:
    """Trains, and returns the time of each phase's one epoch."""
    each: dict[int, float] = {}
    before = 0.0

    def after_epoch(state: State) -> None:
        nonlocal before
        each[state.phase] = state.seconds - before
        before = state.seconds

    fit.run(after_epoch)
    return each
