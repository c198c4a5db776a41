"""Stage pack: turn a data set's raw files into one HDF5 file, data/packs/<dataset>.h5."""

from __future__ import annotations

import argparse

import numpy as np

from benchmark import paths
from benchmark.data.pack import write_pack
from pipelines import program
from pipelines.fetch import make_dataset


def pack(arguments: argparse.Namespace) -> None:
    dataset = make_dataset(arguments.dataset)
    images = dataset.load(paths.raw(arguments.dataset))
    attributes = {
        "dataset": arguments.dataset,
        "source": dataset.source,
        "strata": dataset.strata,
        "settings": dataset.settings.model_dump_json(),
    }
    write_pack(paths.pack(arguments.dataset), images, attributes)
    counts = dict(zip(*np.unique(images.split, return_counts=True), strict=True))
    print(
        f"{len(images)} images, {len(np.unique(images.label))} classes, "
        + ", ".join(f"{n} {s}" for s, n in counts.items())
    )


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset", help="a name in benchmark/registry.py or of a plug-in")
    program.run(pack, parser)
