"""The predictions of several seeds as one, compact enough for git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions

STEPS = 2**13
"""Logits are kept to a multiple of 1/STEPS (error 0.00006): a fifth of a file was digits without meaning."""


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several seeds as one, logits rounded.

    Raises:
        BenchmarkError: If they are not of the same images.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.tested.keys() != first.tested.keys() or not all(
            part.tested[name].same_as(images) for name, images in first.tested.items()
        ):
            raise BenchmarkError(
                "the seeds of a cell were tested on different images",
                got=f"seeds {first.seeds.tolist()} and {part.seeds.tolist()}",
                do="Delete the cell's folder under runs/ and run `dvc repro`.",
            )
    losses = [part.heatmap_loss for part in parts if part.heatmap_loss is not None]
    return replace(
        first,
        seeds=np.concatenate([part.seeds for part in parts]),
        logits={name: rounded(np.concatenate([part.logits[name] for part in parts])) for name in first.logits},
        heatmap_loss=np.concatenate(losses) if len(losses) == len(parts) else None,
    )


def rounded(logits: Floats) -> Floats:
    """To the nearest step, in single precision."""
    return (np.round(logits.astype(np.float64) * STEPS) / STEPS).astype(np.float32)
