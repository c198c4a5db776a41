"""How busy a GPU is while the harness's loop runs."""

from __future__ import annotations

import importlib.util
import math
import threading
import time
from collections.abc import Callable

import torch

SECONDS, EVERY = 3.0, 0.05
"""How long is looked, and how often: the driver's own figure is of a sixth of a second to a second."""


def utilisation(action: Callable[[], object], device: str) -> tuple[float, str]:
    """Mean share of time in which a kernel ran, in [0, 1], or NaN and the reason.

    Args:
        action: The loop; called again and again.
        device: ``cpu`` or ``cuda``.
    """
    if device != "cuda":
        return math.nan, "no GPU"
    if importlib.util.find_spec("pynvml") is None:
        return math.nan, "torch.cuda.utilization needs the package nvidia-ml-py (pynvml), which is not installed"
    found: list[int] = []
    end = threading.Event()

    def look() -> None:
        while not end.wait(EVERY):
            found.append(torch.cuda.utilization())

    watcher = threading.Thread(target=look, daemon=True)
    start = time.monotonic()
    watcher.start()
    while time.monotonic() - start < SECONDS:
        action()
        torch.cuda.synchronize()
    end.set()
    watcher.join()
    return sum(found) / len(found) / 100, ""
