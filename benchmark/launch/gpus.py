"""Which GPUs this machine shows, told without torch, which would take seconds and memory."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from itertools import takewhile

VISIBLE = "CUDA_VISIBLE_DEVICES"
NAME = re.compile(r"\d+|GPU-.+|MIG-.+")


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names that ``CUDA_VISIBLE_DEVICES`` takes: those it names now, else the indices that the driver lists.

    As CUDA does it, the first entry that can name no GPU, such as ``-1``, ends the list.
    """
    if VISIBLE in environment:
        names = [name.strip() for name in environment[VISIBLE].split(",")]
        return list(takewhile(NAME.fullmatch, names))
    query = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.split() if listed.returncode == 0 else []
