"""What a method costs beside the plain classifier: ratios from interleaved timings in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from benchmark.api import Method, Phase
from benchmark.config import Training
from benchmark.training.data import Sets, logits_of
from benchmark.training.fit import Fit
from benchmark.training.seed import task_of

Row = dict[str, object]
COLUMNS = ("method", "step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds", "needs")


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


@dataclass(frozen=True)
class Recipe:
    """A method as a suite trains it."""

    method: Method
    training: Training


class Steps:
    """The training steps of one method, one a phase: loss and gradients, without the optimizer's update.

    Args:
        recipe: The method with its settings.
        sets: A few images; each phase begins on them, so that what it keeps is there.
    """

    def __init__(self, recipe: Recipe, sets: Sets) -> None:
        fabric = Fabric(accelerator="cpu", devices=1)
        self.fit = Fit(recipe.method, task_of(sets.train, recipe.training.backbone), recipe.training, 0, sets, fabric)
        self.batch = sets.train.batch(torch.arange(recipe.training.batch_size), recipe.method.needs)
        self.actions: list[tuple[Phase, Callable[[], None]]] = []
        for number, phase in enumerate(self.fit.phases):
            if phase.epochs:  # what follows the last epoch is no step
                self.fit.begin(number)
                self.actions.append((phase, self.step(phase, self.fit.weights)))

    def step(self, phase: Phase, weights: list[nn.Parameter]) -> Callable[[], None]:
        network, batch, rng = self.fit.network, self.batch, torch.Generator().manual_seed(0)

        def run() -> None:
            network.train()
            self.release()
            phase.loss(network, batch, rng)["loss"].backward(inputs=weights)  # type: ignore[no-untyped-call]

        return run

    def release(self) -> None:
        """Lets the gradients go."""
        self.fit.plain.zero_grad()

    def __call__(self) -> None:
        """One step of each phase."""
        for _, action in self.actions:
            action()


def inference(steps: Steps) -> Callable[[], None]:
    """Logits of a batch, from the deployed module."""
    method, batch = steps.fit.method, steps.batch
    deployed = method.deploy(steps.fit.plain).eval()

    def run() -> None:
        with torch.no_grad():
            logits_of(deployed, batch.image, batch.mask, method.needs)

    return run


def measure(recipes: Mapping[str, Recipe], sets: Sets, images: int, peaks: Mapping[str, int], rounds: int) -> list[Row]:
    """One row a method; ratios to the first.

    Args:
        recipes: The reference first.
        sets: A few images of the task.
        images: How many a whole training set has.
        peaks: Bytes of a training step above model and images, by method.
        rounds: Timings of each action.

    Returns:
        Rows of ``costs.csv``. ``step_ratio``: time of all training steps of the method ÷ the reference's, so a method
        with a phase more costs more. ``train_seconds``: that time for one seed on one thread of this machine, without
        validation. ``params``: of the deployed module.
    """
    all_steps = {name: Steps(recipe, sets) for name, recipe in recipes.items()}
    timed = interleaved(
        {f"{name} {at}": run for name, steps in all_steps.items() for at, (_, run) in enumerate(steps.actions)}, rounds
    )
    runs = interleaved({name: inference(steps) for name, steps in all_steps.items()}, 5 * rounds)  # short ones
    seconds = {
        name: sum(
            timed[f"{name} {at}"] * phase.epochs * (images // steps.fit.settings.batch_size)
            for at, (phase, _) in enumerate(steps.actions)
        )
        for name, steps in all_steps.items()
    }
    first = next(iter(recipes))
    return [
        {
            "method": name,
            "step_ratio": round(seconds[name] / seconds[first], 3),
            "memory_ratio": round(peaks[name] / peaks[first], 3),
            "inference_ratio": round(runs[name] / runs[first], 3),
            "params": sum(weight.numel() for weight in steps.fit.method.deploy(steps.fit.plain).parameters()),
            "train_seconds": round(seconds[name], 1),
            "needs": steps.fit.method.needs.describe(),
        }
        for name, steps in all_steps.items()
    ]
