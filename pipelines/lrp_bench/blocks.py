"""What is measured together: one network at one image size on one device."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from pipelines.lrp_bench import timing
from pipelines.lrp_bench.cases import CASES, Action, Problem, Training, find, heatmap, inference
from pipelines.lrp_bench.memory import Job
from pipelines.lrp_bench.rows import Row

Key = tuple[str | None, str, int]
"""Case (None: plain), quantity, maps an image."""

PLAIN: Key = (None, "step_ratio", 1)
MAPS = (2, 4, 8)
BETWEEN = 128
"""A size at which only the number of maps is varied."""

SMALL = 64
"""Up to this size eight maps are measured of every network, and everything is timed more often."""

HEATMAP, INFERENCE = 1.2, 0.7
"""A heatmap, and both inferences, in plain steps: for the time left."""


@dataclass
class Block:
    """A network, a size, a device, and what is measured there, in turn.

    Attributes:
        keys: Without the plain step.
        rounds: Timings of each.
        maps_only: Whether steps with several maps are all that is wanted here: no peak memory.
        plain_seconds: What a plain step takes, by a first look: for the time left.
    """

    network: str
    px: int
    device: str
    keys: list[Key]
    rounds: int
    maps_only: bool = False
    plain_seconds: float = 0.0

    def problem(self) -> Problem:
        """The network and its batch, with a first look at the plain step.

        Raises:
            BenchmarkError: If timm has no such network, or it cannot take images of this size.
        """
        problem = Problem.make(self.network, self.px, self.device)
        step = Training(problem)
        step()
        start = time.monotonic()
        timing.once(step, self.device)
        self.plain_seconds = time.monotonic() - start
        return problem

    def seconds_left(self, done: int = -1) -> float:
        """For the rounds and inferences to come; ``-1`` rounds done: the first calls are to come, too."""
        units = 1.0
        for case, quantity, maps in self.keys:
            known = CASES[case or ""]
            extra = 0.6 * (maps - known.maps)  # of one case with more maps
            units += HEATMAP if quantity == "heatmap_ratio" else (known.units or 0) + extra
        inferences = INFERENCE * self.inferences if self.infers else 0
        return self.plain_seconds * (units * (self.rounds - done) + inferences)

    @property
    def infers(self) -> bool:
        """Whether inference is measured: beside our epsilon case."""
        return ("isnet_eps", "heatmap_ratio", 1) in self.keys

    @property
    def inferences(self) -> int:
        """Timings of inference, whose ratio has the narrowest bound."""
        return 10 * self.rounds

    def action(self, problem: Problem, key: Key) -> Action:
        """What is timed for a key."""
        case, quantity, maps = key
        if case is None:
            return Training(problem)
        return heatmap(problem, CASES[case]) if quantity == "heatmap_ratio" else Training(problem, CASES[case], maps)

    def run(self, rng: random.Random, after: Callable[[int], None]) -> list[Row]:
        """Step, heatmap and inference ratios; ``after`` is told of the rounds done."""
        problem = self.problem()
        actions = {key: self.action(problem, key) for key in [PLAIN, *self.keys]}
        best = timing.shortest(actions, self.rounds, self.device, rng, after)
        found = []
        for key in self.keys:
            case, quantity, maps = key
            every = CASES[case or ""].every if quantity == "step_ratio" else 1
            found.append(self.row(case or "", quantity, best[key] / every / best[PLAIN], maps))
        if self.infers:
            both = {name: inference(problem, name) for name in ("erm", "isnet")}
            best_run = timing.shortest(both, self.inferences, self.device, rng)
            ratio = best_run["isnet"] / best_run["erm"]
            found.append(self.row("isnet_eps", "inference_ratio", ratio, repeats=self.inferences))
        return found

    def row(self, case: str, quantity: str, value: float, maps: int = 1, repeats: int | None = None) -> Row:
        """A row of the table."""
        device = "cpu" if self.device == "cpu" else torch.cuda.get_device_name()
        times = self.rounds if repeats is None else repeats
        return Row(case, self.network, self.px, maps, quantity, value, times, device, torch.__version__)

    def jobs(self, quick: bool) -> list[Job]:
        """The steps whose peak memory is measured, the plain one first."""
        if self.maps_only:
            return []
        cases = [case for case, quantity, _ in self.keys if quantity == "step_ratio" and case != "isnet_lazy"]
        chosen = [case for case in dict.fromkeys(cases) if case == "isnet_eps" or not quick]
        jobs = [Job(self.network, self.px, case, CASES[case or ""].maps, self.device) for case in chosen]
        return [Job(self.network, self.px, None, 1, self.device), *jobs] if jobs else []


def plan(
    networks: Sequence[str], sizes: Sequence[int], cases: Sequence[str], device: str, rounds: int
) -> Iterator[Block]:
    """The blocks; of the first network the number of maps is varied, at one more size, too.

    Raises:
        BenchmarkError: If a case is unknown.
    """
    several = [("isnet_k8" if maps == CASES["isnet_k8"].maps else "isnet_eps", "step_ratio", maps) for maps in MAPS]
    for network in networks:
        for px in sizes:
            keys: list[Key] = []
            for name in cases:
                case = find(name)
                if case.units is not None and (case.maps == 1 or px <= SMALL or network == networks[0]):
                    keys.append((name, "step_ratio", case.maps))
                if case.heatmap:
                    keys.append((name, "heatmap_ratio", 1))
            if network == networks[0]:
                keys += [key for key in several if key[0] in cases and key not in keys]
            yield Block(network, px, device, keys, rounds * (3 if px <= SMALL else 1))
    if min(sizes) < BETWEEN < max(sizes):
        line: list[Key] = [("isnet_eps", "step_ratio", 1), *several]
        keys = [key for key in line if key[0] in cases]
        if keys:
            yield Block(networks[0], BETWEEN, device, keys, rounds, maps_only=True)
