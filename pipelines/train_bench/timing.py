"""Interleaved timings: all actions in every round, each round in another order, for so many seconds.

In turn, because a machine's speed drifts; in another order, because an action finds the caches as the one before left
them. All times are kept, not the shortest alone: a ratio is that of one round (:func:`benchmark.costs.median_ratio`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch

from benchmark.api import Floats

Key = TypeVar("Key")
LEAST, MOST = 6, 100
"""Rounds: with fewer no order of them bounds a median at 95 %; more are of no use."""

Clock = Callable[[], float]


def clock_of(device: str, threads: int) -> Clock:
    """Seconds: CPU time where one thread computes, for other programs run too; else of the wall, all work done."""
    if device == "cuda":
        return _when_done
    return time.process_time if threads == 1 else time.perf_counter


def _when_done() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def sampled(
    actions: Mapping[Key, Callable[[], object]],
    clock: Clock,
    seconds: float,
    least: int = LEAST,
    after: Callable[[int, int], None] = lambda *_: None,
) -> dict[Key, Floats]:
    """Seconds of each action, ``[rounds]``.

    Args:
        actions: Each is called once before the first round: what a first call sets up is no cost of a step.
        clock: Of :func:`clock_of`.
        seconds: Of the wall, for all rounds; the first round tells how many fit.
        least: Rounds at any rate.
        after: Told of the rounds done, 0 after the first calls, and of how many there will be.
    """
    for action in actions.values():
        action()
    rng = random.Random(0)  # noqa: S311 -- an order of timings
    times: dict[Key, list[float]] = {key: [] for key in actions}
    after(0, least)
    start, done, rounds = time.monotonic(), 0, least
    while done < rounds:
        for key in rng.sample(list(actions), len(actions)):
            begun = clock()
            actions[key]()
            times[key].append(clock() - begun)
        done += 1
        if done == 1:
            fit = int(seconds / max(time.monotonic() - start, 1e-9))
            rounds = max(least, min(fit, MOST))
        after(done, rounds)
    return {key: np.array(of_key) for key, of_key in times.items()}
