r"""Where confidence and accuracy part: rows of ``reliability.csv``.

.. math:: \mathrm{ECE} = \frac1S \sum_s \sum_m \frac{n_{sm}}{n}\,|a_{sm} - c_{sm}|

with ``n_sm`` of the ``n`` images in bin ``m`` of seed ``s``, their accuracy ``a`` and their mean confidence ``c``.
Bins, probabilities and the class that is taken are those of :func:`benchmark.metrics.calibration.ece`.

Over seeds: a bin holds the images of all of them, an image once a seed, and its ``confidence`` and ``accuracy`` are
means over what it holds. What it adds to the error is the mean over seeds of what each seed's own bin adds, so that
two models that err to opposite sides do not cancel: ``ece_part`` can be more than the pooled means say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from benchmark.api import Floats, Ints
from benchmark.cell import Cell
from benchmark.metrics.calibration import BINS, probabilities
from benchmark.metrics.generalization import checked
from benchmark.predictions import Predictions


@dataclass(frozen=True)
class ReliabilityRow:
    """One bin of confidence, ``(low, high]``, of a cell on a variant.

    Attributes:
        bin: From 1, in ascending confidence.
        confidence: Mean highest probability over the images of all seeds in the bin; NaN where it is empty.
        accuracy: Share of them whose class has it; NaN where the bin is empty.
        count: Images in the bin, summed over seeds.
        ece_part: What the bin adds to the expected calibration error, mean over seeds; the sum over the bins of a cell
            and variant is its ``ece`` in ``summary.csv``.
        n_seeds: Seeds.
    """

    dataset: str
    bias: str
    method: str
    variant: str
    bin: int
    low: float
    high: float
    confidence: float
    accuracy: float
    count: int
    ece_part: float
    n_seeds: int


RELIABILITY_COLUMNS = tuple(field.name for field in fields(ReliabilityRow))


def reliability_rows(predictions: Mapping[Cell, Predictions]) -> list[ReliabilityRow]:
    """All bins, empty ones too, of every cell and variant, in the order of the cells.

    Args:
        predictions: The cells of a suite.

    Raises:
        BenchmarkError: As :func:`benchmark.metrics.calibration.ece`.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, 2017, section 2: reliability diagrams and equation 5.
    """
    return [
        row
        for cell, stored in predictions.items()
        for variant, logits in stored.logits.items()
        for row in _rows(cell, variant, logits, stored.tested[variant].label)
    ]


def _rows(cell: Cell, variant: str, logits: Floats, label: Ints) -> list[ReliabilityRow]:
    sums = np.stack([_sums(one, label) for one in logits])  # [S, 3, BINS]
    part = (np.abs(sums[:, 2] - sums[:, 1]) / len(label)).mean(0)
    count, confidence, hits = sums.sum(0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: an empty bin has no mean
        confidence, accuracy = confidence / count, hits / count
    return [
        ReliabilityRow(
            *(cell.dataset, cell.bias, cell.method, variant),
            bin=m + 1,
            low=m / BINS,
            high=(m + 1) / BINS,
            confidence=float(confidence[m]),
            accuracy=float(accuracy[m]),
            count=int(count[m]),
            ece_part=float(part[m]),
            n_seeds=len(logits),
        )
        for m in range(BINS)
    ]


def _sums(score: Floats, label: Ints) -> Floats:
    """``[3, BINS]`` of one seed: its images, their confidences and their hits, summed by bin."""
    score, label, _ = checked(score, label, None)
    p = probabilities(score)
    confidence, hit = p.max(1), (p.argmax(1) == label).astype(float)
    where = (np.arange(1, BINS) / BINS).searchsorted(confidence, "left")
    return np.stack([np.bincount(where, each, BINS) for each in (np.ones(len(p)), confidence, hit)])
