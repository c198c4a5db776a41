r"""The predictions of a cell, hospital by hospital: rows of ``sources.csv``.

.. math:: m_g = \frac1S \sum_s m\big(\{(z_{si}, y_i) : i \text{ from source } g\}\big)

A mean over other hospitals can hide that one of them fails, or that a class comes from one of them alone: then a
network that tells the hospitals apart tells the classes apart. ``accuracy`` of a source with one class is that class's
recall there, and its ``macro_auroc`` is not defined.

Intervals are those of every table (:mod:`benchmark.stats.interval`): units and seeds, here with the units of one source
resampled by a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from benchmark.cell import Cell
from benchmark.metrics.named import metric_named
from benchmark.predictions import Predictions
from benchmark.seeding import numpy_stream
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.interval import variance_sum

METRICS = ("accuracy", "macro_auroc")


@dataclass(frozen=True)
class SourceRow:
    """One metric of a cell on the images of one source under one variant.

    Attributes:
        classes: Class indices that the source has images of, with blanks between.
        value: Mean over seeds; NaN where not defined.
        low: Lower bound, 95 % over units and seeds; NaN where not defined, or with one unit.
        high: Upper bound; NaN likewise.
        n_images: Images.
        n_units: Units: patients, where the data names them.
        n_seeds: Seeds.
    """

    dataset: str
    bias: str
    method: str
    variant: str
    source: str
    classes: str
    metric: str
    value: float
    low: float
    high: float
    n_images: int
    n_units: int
    n_seeds: int


SOURCE_COLUMNS = tuple(field.name for field in fields(SourceRow))


def source_rows(predictions: Mapping[Cell, Predictions], draws: int = 2000, seed: int = 0) -> list[SourceRow]:
    """All rows of a suite; the methods of one task are resampled with the same draws.

    Args:
        predictions: The cells, in the order of the table.
        draws: Number of bootstrap draws, at least 2.
        seed: Of the bootstrap.
    """
    return [row for cell, stored in predictions.items() for row in of_cell(cell, stored, draws, seed)]


def of_cell(cell: Cell, stored: Predictions, draws: int, seed: int) -> Iterator[SourceRow]:
    """The rows of one cell: variants as in the tables, sources by name."""
    for variant, tested in stored.tested.items():
        for source in np.unique(tested.source):
            here = tested.source == source
            label, unit, runs = tested.label[here], tested.unit[here], stored.logits[variant][:, here]
            units, classes = len(np.unique(unit)), np.unique(label)
            weight = None
            if units > 1:
                rng = numpy_stream(seed, "bootstrap", cell.task, "source", str(source))
                weight = resample_counts(unit, draws, rng)
            facts = cell.dataset, cell.bias, cell.method, variant, str(source), " ".join(map(str, classes))
            counts = int(here.sum()), units, len(stored.seeds)
            for name in METRICS:
                metric = metric_named(name)
                values = np.array([metric.function(logits, label, None) for logits in runs], float)
                low = high = math.nan
                if weight is not None:
                    drawn = np.mean([metric.function(logits, label, weight) for logits in runs], axis=0)
                    found = variance_sum(values, drawn, units, low=metric.low, high=metric.high)
                    low, high = found.low, found.high
                yield SourceRow(*facts, name, float(values.mean()), low, high, *counts)
