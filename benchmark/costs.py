"""What a method costs beside the plain classifier: ratios from interleaved timings in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import nn

from benchmark.api import Batch, Method, Task
from benchmark.training.fit import build


def interleaved(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Shortest CPU time of each action in seconds, all actions in turn in every round.

    In turn, because a machine's speed drifts; the shortest, because disturbances only add; CPU time, because other
    programs run too.
    """
    best = dict.fromkeys(actions, float("inf"))
    for action in actions.values():
        action()  # memory and kernels of the first call are no cost of a method
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.process_time()
            action()
            best[name] = min(best[name], time.process_time() - start)
    return best


def training_step(method: Method, network: nn.Module, batch: Batch) -> Callable[[], None]:
    """One step as the harness takes it, without the optimizer's update: loss and gradients of all weights."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    rng = torch.Generator().manual_seed(0)

    def step() -> None:
        network.train()
        network.zero_grad()
        method.loss(network, batch, rng)["loss"].backward(inputs=weights)  # type: ignore[no-untyped-call]

    return step


def inference(method: Method, network: nn.Module, batch: Batch) -> Callable[[], None]:
    """Logits of a batch, from the deployed module."""

    def run() -> None:
        with torch.no_grad():
            method.deploy(network).eval()(batch.image)

    return run


def measure(methods: Mapping[str, Method], task: Task, batch: Batch, rounds: int) -> list[dict[str, object]]:
    """One row a method; ratios to the first.

    Args:
        methods: The reference first.
        task: What the networks are built for.
        batch: Images, labels and masks.
        rounds: Timings of each action.

    Returns:
        ``method``, ``step_ratio``, ``inference_ratio``, ``params`` of the deployed module, ``needs``.
    """
    networks = {name: build(method, task, seed=0) for name, method in methods.items()}
    steps = interleaved({n: training_step(m, networks[n], batch) for n, m in methods.items()}, rounds)
    runs = interleaved({n: inference(m, networks[n], batch) for n, m in methods.items()}, rounds)
    first = next(iter(methods))
    return [
        {
            "method": name,
            "step_ratio": round(steps[name] / steps[first], 3),
            "inference_ratio": round(runs[name] / runs[first], 3),
            "params": sum(weight.numel() for weight in method.deploy(networks[name]).parameters()),
            "needs": method.needs.describe(),
        }
        for name, method in methods.items()
    ]
