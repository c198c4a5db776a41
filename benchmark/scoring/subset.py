"""Which test images are looked at more closely: drawn once, and fewer are always some of more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from benchmark.api import Ints
from benchmark.behaviour.shown import Shown
from benchmark.data.pack import read_columns
from benchmark.data.rows import read_rows
from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions, image_sets
from benchmark.seeding import numpy_stream

SUBSET = 100
"""Of the headline's heatmaps."""

SHOWN = tuple(field.name for field in fields(Shown))


def choose_subset(images: int, most: int = SUBSET) -> Ints:
    """Rows of at most so many images: the same for every method and seed, and every variant on the same images."""
    order = numpy_stream(0, "attribution").permutation(images)
    return np.sort(order[:most]).astype(np.int64)


def places_of(images: int, few: int, most: int) -> Ints:
    """Where the ``few`` of :func:`choose_subset` stand among the ``most``."""
    return np.searchsorted(choose_subset(images, most), choose_subset(images, few)).astype(np.int64)


def choose_rows(stored: Predictions, most: int) -> dict[str, Ints]:
    """Variant to the rows that are looked at; variants on the same images have the same."""
    return {
        variant: rows
        for first, variants in image_sets(stored.tested).items()
        for rows in [choose_subset(len(stored.tested[first]), most)]
        for variant in variants
    }


def read_shown(pack: Path, stored: Predictions, rows: Mapping[str, Ints]) -> dict[str, Shown]:
    """The images of the given rows of each variant.

    Raises:
        BenchmarkError: If the pack does not hold the images that the seeds were tested on.
    """
    shown = {}
    for variant, tested in stored.tested.items():
        index, _ = read_columns(pack, variant, ("id",))
        if not np.array_equal(index["id"], tested.id):
            raise BenchmarkError(
                f"group {variant!r} of {pack} holds other images than the predictions of this cell",
                do="Run `dvc repro`: it trains again on the pack of now.",
            )
        shown[variant] = Shown(**read_rows(pack, variant, SHOWN, rows[variant]))
    return shown
