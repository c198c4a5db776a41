"""Stage pack: turn a data set's raw files into one HDF5 file, data/packs/<dataset>.h5."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark import paths, skipped
from benchmark.api import Dataset, Index, Ints, UInt8
from benchmark.data.named import load_dataset
from benchmark.data.pack import block_rows
from benchmark.data.pack_write import by_split, created, write_pack
from benchmark.data.rules import check_index
from pipelines import program


def pixels(dataset: Dataset, folder: Path, index: Index, order: Ints) -> Iterator[tuple[UInt8, UInt8]]:
    """The images in the order of the pack, a block at a time."""
    first = dataset.pixels(folder, index, order[:1])
    size = block_rows(first[0].nbytes)
    for start in range(0, len(order), size):
        yield dataset.pixels(folder, index, order[start : start + size])
        print(f"{min(start + size, len(order))} of {len(order)} images", flush=True)


def pack(arguments: argparse.Namespace) -> None:
    name = arguments.dataset
    dataset, folder = load_dataset(name), paths.raw(name)
    if mark := skipped.in_folder(folder):
        with created(paths.pack(name), mark.attributes()):
            print(mark)
        return
    index = dataset.index(folder)
    check_index(index, f"data set {name}")
    order = by_split(index)
    attributes = {
        "dataset": name,
        "source": dataset.source,
        "strata": dataset.strata,
        "settings": dataset.settings.model_dump_json(),
        "classes": json.dumps(dataset.classes(folder)),
        "facts": json.dumps(dict(dataset.facts(folder)), sort_keys=True),
    }
    write_pack(paths.pack(name), index.take(order), pixels(dataset, folder, index, order), attributes)
    counts = dict(zip(*np.unique(index.split, return_counts=True), strict=True))
    print(
        f"{len(index)} images, {len(np.unique(index.label))} classes, "
        + ", ".join(f"{n} {s}" for s, n in counts.items())
    )


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset", help="the name of its YAML in pipelines/configs/datasets")
    program.run(pack, parser)
