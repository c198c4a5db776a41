"""Which GPUs this machine shows, told without torch, which would take seconds and memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names that ``CUDA_VISIBLE_DEVICES`` takes: those it names now, else the indices that the driver lists.

    As CUDA does it, what follows an entry ``-1`` does not count.
    """
    if VISIBLE in environment:
        names = [name.strip() for name in environment[VISIBLE].split(",")]
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    query = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.split() if listed.returncode == 0 else []
