"""Answers that are whole and yet not what they are taken for: rounded probabilities, one training handed in as several.

What lies in [0, 1] with rows that nearly sum to 1 was meant as probabilities. Were it read as logits, because rows
miss 1 by more than a float's rounding, a good Brier score would become a bad one without a word.
"""

from __future__ import annotations

import itertools

import numpy as np

from benchmark.api import Floats
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.metrics.calibration import TOLERANCE
from benchmark.predictions import Predictions
from benchmark.submission.stored import StoredTask

NEAR = 0.05
"""How far from 1 rows of rounded probabilities may sum: ten classes with two decimals."""


def refuse_rounded(predictions: Predictions) -> None:
    """Refuses probabilities that were rounded so far that they would be read as logits.

    Raises:
        BenchmarkError: If all values of a variant and seed lie in [0, 1] and all rows sum to 1 within 0.05, but not all
            within the tolerance of :mod:`benchmark.metrics.calibration`.
    """
    for variant, runs in predictions.logits.items():
        for seed, score in zip(predictions.seeds, runs, strict=True):
            off = np.abs(score.sum(1, dtype=float) - 1)
            if score.min() >= 0 and score.max() <= 1 and TOLERANCE < off.max() <= NEAR + TOLERANCE:
                raise BenchmarkError(
                    f"probabilities of {variant}, seed {seed} are rounded",
                    got=f"{int((off > TOLERANCE).sum())} of {len(off)} rows miss the sum 1, by up to {off.max():.2g}",
                    expected=f"rows that sum to 1 within {TOLERANCE:g}, or logits",
                    do="Write more decimals (6 or more), or the logits.",
                )


def refuse_equal_seeds(predictions: Predictions) -> None:
    """Refuses one training under two seeds.

    Raises:
        BenchmarkError: If two seeds have the same logits, bit by bit, on every variant.
    """
    for (i, one), (j, other) in itertools.combinations(enumerate(predictions.seeds), 2):
        if all(_equal(runs[i], runs[j]) for runs in predictions.logits.values()):
            raise BenchmarkError(
                f"logits of seeds {one} and {other} are equal on every variant",
                expected="a training of its own for each seed",
                do="One training handed in as several narrows the bounds: hand it in as one seed.",
            )


def equal_cells(predictions: Predictions, stored: StoredTask) -> tuple[Cell, ...]:
    """The cells of the suite of which a seed has the same logits, bit by bit, on every variant.

    Args:
        predictions: On the images of the task, in the suite's order.
        stored: The task.
    """

    def same(other: Predictions) -> bool:
        pairs = itertools.product(range(len(predictions.seeds)), range(len(other.seeds)))
        variants = predictions.logits
        return any(all(_equal(variants[v][i], other.logits[v][j]) for v in variants) for i, j in pairs)

    return tuple(cell for cell, other in stored.predictions.items() if same(other))


def _equal(one: Floats, other: Floats) -> bool:
    """As float32, which records and suites hold."""
    return np.array_equal(np.asarray(one, np.float32), np.asarray(other, np.float32))
