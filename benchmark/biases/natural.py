"""Nothing is planted: the images are what they are, and so is what their backgrounds tell of the class."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.api import Index, NaturalBias, Selection
from benchmark.errors import BenchmarkError
from benchmark.plan import rows_of, unmarked


class Natural(NaturalBias):
    """All images, by split: ``iid`` is the test set, ``external`` that of other sources, where there are some."""

    source = "the data set itself"

    def plan(self, index: Index, classes: int) -> Mapping[str, Selection]:
        if self.settings.correlation != 1:
            raise BenchmarkError(
                "correlation of the bias 'natural'",
                got=self.settings.correlation,
                expected="1: the images come as they are",
                do="To choose images by their source, take the bias 'source'.",
            )
        subsets = {"train": "train", "val": "val", "iid": "test"}
        if (index.split == "external").any():
            subsets["external"] = "external"
        return {name: unmarked(index, rows_of(index, split)) for name, split in subsets.items()}
