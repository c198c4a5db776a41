"""What a method costs beside the plain classifier: ratios from interleaved timings in one process.

A ratio is the median over rounds of ``time of the method ÷ time of the reference``, both of the same round, so that a
machine that is slow for a while is slow for both. Its 95 % interval is made of two of the rounds' ratios in order: the
median lies between the k-th smallest and the k-th largest with a probability that the binomial distribution gives,
whatever the distribution of timings (``scipy.stats.quantile_test``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import quantile_test
from torch import nn

from benchmark.api import Floats, Method, Phase
from benchmark.config import Training
from benchmark.training.data import Sets, logits_of
from benchmark.training.device import fabric_of
from benchmark.training.fit import Fit
from benchmark.training.seed import task_of

Row = dict[str, object]
TIMED = ("step_ratio", "inference_ratio")
SHORT = 20
"""An inference is timed that many times as often as a training step: it is short, and 2 % of it are to be told."""
COLUMNS = (
    *("method", "step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds", "needs"),
    *(f"{ratio}_{end}" for ratio in TIMED for end in ("low", "high")),
)


def interleaved(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Floats]:
    """CPU time of each action in seconds, ``[rounds]``: all actions in every round, each round in another order.

    In one round, because a machine's speed drifts; in another order, because an action leaves its traces in the
    cache of the next; CPU time, because other programs run too.
    """
    for action in actions.values():
        action()  # memory and kernels of the first call are no cost of a method
    times: dict[str, Floats] = {name: np.empty(rounds) for name in actions}
    order, shuffle = list(actions), random.Random(0).shuffle  # noqa: S311
    for at in range(rounds):
        shuffle(order)
        for name in order:
            start = time.process_time()
            actions[name]()
            times[name][at] = time.process_time() - start
    return times


def median_ratio(ours: Floats, theirs: Floats) -> tuple[float, float, float]:
    """Median of the ratios of single rounds, and its 95 % interval from their order.

    Args:
        ours: ``[rounds]`` seconds.
        theirs: ``[rounds]`` seconds of the reference.

    Returns:
        Median, lower and upper bound; with fewer than six rounds no order says enough, and the bounds are NaN.
    """
    found = quantile_test(ours / theirs)
    bounds = found.confidence_interval(confidence_level=0.95)
    return float(np.median(ours / theirs)), float(bounds.low), float(bounds.high)


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
        fabric = fabric_of(recipe.training, recipe.method, "cpu")
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
        with a phase more costs more. ``train_seconds``: the shortest such time for one seed on one thread of this
        machine, without validation. ``params``: of the deployed module. Timed ratios have bounds, ``_low``, ``_high``.
    """
    all_steps = {name: Steps(recipe, sets) for name, recipe in recipes.items()}
    timed = interleaved(
        {f"{name} {at}": run for name, steps in all_steps.items() for at, (_, run) in enumerate(steps.actions)}, rounds
    )
    runs = interleaved({name: inference(steps) for name, steps in all_steps.items()}, SHORT * rounds)
    seconds = {name: _seconds(name, steps, timed, images) for name, steps in all_steps.items()}
    first = next(iter(recipes))

    def row(name: str, steps: Steps) -> Row:
        training, step_low, step_high = rounded(median_ratio(seconds[name], seconds[first]))
        inferring, run_low, run_high = rounded(median_ratio(runs[name], runs[first]))
        return {
            "method": name,
            "step_ratio": training,
            "memory_ratio": round(peaks[name] / peaks[first], 3),
            "inference_ratio": inferring,
            "params": sum(weight.numel() for weight in steps.fit.method.deploy(steps.fit.plain).parameters()),
            "train_seconds": round(float(seconds[name].min()), 1),  # the shortest: disturbances only add
            "needs": steps.fit.method.needs.describe(),
            "step_ratio_low": step_low,
            "step_ratio_high": step_high,
            "inference_ratio_low": run_low,
            "inference_ratio_high": run_high,
        }

    return [row(*each) for each in all_steps.items()]


def _seconds(name: str, steps: Steps, timed: Mapping[str, Floats], images: int) -> Floats:
    """Of all training steps of one seed, ``[rounds]``."""
    batches = images // steps.fit.settings.batch_size
    phases = enumerate(phase for phase, _ in steps.actions)
    return np.asarray(np.sum([timed[f"{name} {at}"] * phase.epochs * batches for at, phase in phases], axis=0))


def rounded(ratio: tuple[float, float, float]) -> tuple[float, float, float]:
    """To three decimals; bounds outwards, since a claim may be decided by the last one."""
    value, low, high = ratio
    return round(value, 3), float(np.floor(1000 * low) / 1000), float(np.ceil(1000 * high) / 1000)
