"""The state of an unfinished training on disk: written whole after every epoch, taken up only by its own job."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from benchmark.files import atomic_path
from benchmark.training.faults import disk_told
from benchmark.training.fit import Fit, State


def save(fit: Fit, path: Path, fingerprint: str) -> None:
    """Writes network, optimizer, schedule and state to one file, atomically.

    Raises:
        BenchmarkError: If it cannot be written; the checkpoint of the epoch before stays.
    """
    content: dict[str, Any] = {
        "fingerprint": fingerprint,
        "network": fit.plain.state_dict(),
        "optimizer": fit.optimizer.state_dict(),
        "schedule": fit.schedule.state_dict(),
        "state": vars(fit.state),
    }
    whole = io.BytesIO()
    torch.save(content, whole)  # not to the file: what torch raises on a full disk does not name the reason
    with disk_told(path), atomic_path(path) as fresh:
        fresh.write_bytes(whole.getbuffer())


def resume(fit: Fit, path: Path, fingerprint: str) -> bool:
    """Takes up the checkpoint if it is whole and belongs to the same job.

    Returns:
        Whether anything was taken up. A checkpoint of other settings, data or code, or a damaged one, is left
        aside: the training starts anew, which costs time but never mixes two runs.
    """
    if not path.is_file():
        return False
    try:
        content = torch.load(path, map_location=fit.fabric.device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return False
    if content.get("fingerprint") != fingerprint:
        return False
    fit.plain.load_state_dict(content["network"])
    fit.state = State(**content["state"])
    fit.open()
    fit.optimizer.load_state_dict(content["optimizer"])
    fit.schedule.load_state_dict(content["schedule"])
    return True
