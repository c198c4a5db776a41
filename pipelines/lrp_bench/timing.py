"""Interleaved timings: the shortest of several, all actions in turn, in a new order in every round."""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import torch

Key = TypeVar("Key", bound=Hashable)
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_memory() -> None:
    """Lets glibc's allocator keep what is freed, as PyTorch's allocator does on a GPU.

    Otherwise each large tensor's pages are asked of the system anew, in every step: up to a fifth of its time, and not
    the same fifth in each case.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, -1)


def clock(device: str) -> float:
    """Seconds: CPU time of this process, or on a GPU the time until its queue is empty."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def once(action: Callable[[], object], device: str) -> float:
    """Seconds of one call."""
    start = clock(device)
    action()
    return clock(device) - start


def shortest(
    actions: Mapping[Key, Callable[[], object]],
    rounds: int,
    device: str,
    rng: random.Random,
    after: Callable[[int], None] = lambda _: None,
) -> dict[Key, float]:
    """Shortest time of each action in seconds.

    In turn, because a machine's speed drifts; in random order, because an action finds the caches as the one before
    left them; the shortest, because disturbances only add.

    Args:
        actions: Each is called once before the first round: memory and kernels of a first call are no cost of a case.
        rounds: Timings of each action.
        device: ``cpu`` or ``cuda``.
        rng: Of the order.
        after: Told of the number of rounds done, 0 after the first calls.
    """
    best = dict.fromkeys(actions, float("inf"))
    for action in actions.values():
        action()
    after(0)
    for done in range(1, rounds + 1):
        for key in rng.sample(list(actions), len(actions)):
            best[key] = min(best[key], once(actions[key], device))
        after(done)
    return best
