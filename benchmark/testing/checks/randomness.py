"""Where random numbers come from: the generator that is handed over, and nowhere else."""

from __future__ import annotations

import copy
import pickle
import random
from typing import Any

import numpy as np
import torch

from benchmark.testing.case import Case, require
from benchmark.testing.checks.losses import loss_of
from benchmark.testing.checks.outputs import logits


def check_equal_generators_give_equal_losses(case: Case) -> None:
    """The same batch, network and generator give the same loss."""
    for phase, network in case.starts:
        first, second = (loss_of(phase, copy.deepcopy(network), case.eight(), 7)["loss"] for _ in range(2))
        require(torch.equal(first, second), f"two equal calls of {phase.name!r} give {first.item()}, {second.item()}")


def check_leaves_global_generators_alone(case: Case) -> None:
    """Neither torch's, nor NumPy's, nor Python's own global generator is drawn from or seeded."""
    case.built  # noqa: B018 - torch's may be drawn from in build, where the harness sets and restores it
    before = states()
    network = case.build(seed=1)
    for phase, start in case.phases():
        loss_of(phase, start, case.eight())
    logits(case.method.deploy(network).eval(), case.inputs(case.eight()))
    moved = [name for name, state in states().items() if state != before[name]]
    require(not moved, f"the method draws from or seeds the global generator of {', '.join(moved)}")


def states() -> dict[str, Any]:
    """The global generators, comparable."""
    return {
        "torch": torch.random.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002 - the global one is what is asked for
        "random": random.getstate(),
    }


def check_keeps_no_state(case: Case) -> None:
    """All that a method learns lives in its network: the object itself is the same after use."""
    fit = case.fit()
    before = pickle.dumps(vars(fit.method))
    for number, phase in enumerate(fit.phases):
        fit.begin(number)
        fit.keep()
        if phase.epochs:
            loss_of(phase, fit.plain.train(), case.eight())
    try:
        after = pickle.dumps(vars(fit.method))
    except Exception as error:
        raise AssertionError(f"the method's object holds something new: {error}") from error
    require(before == after, f"the method's object changes when it is used: {sorted(vars(fit.method))}")
