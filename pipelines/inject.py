"""Stage inject: plant a bias into a pack.

Writes data/biased/<dataset>-<bias>/ (pack.h5 with train, val and the test variants; manifest.csv with one row an image)
and a contact sheet of examples per class and variant under results/<suite>/samples/.
"""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.config import load_bias
from benchmark.data.pack import read_pack, write_columns
from benchmark.data.sheet import draw_sheet, manifest_rows, write_manifest
from benchmark.files import atomic_path
from benchmark.inject import inject as inject_bias
from benchmark.seeding import numpy_stream
from pipelines import program


def inject(arguments: argparse.Namespace) -> None:
    task = f"{arguments.dataset}-{arguments.bias}"
    bias = load_bias(paths.bias_yaml(arguments.bias))
    images, attributes = read_pack(paths.pack(arguments.dataset))
    rng = numpy_stream(bias.settings.seed, "injection", task)
    subsets = inject_bias(images, bias, rng)
    attributes |= {"bias": arguments.bias, "bias_settings": bias.settings.model_dump_json()}
    with atomic_path(paths.biased(task)) as folder:
        folder.mkdir()
        write_columns(folder / "pack.h5", {name: subset.columns() for name, subset in subsets.items()}, attributes)
        write_manifest(folder / "manifest.csv", manifest_rows(subsets))
    draw_sheet(paths.SuitePaths(arguments.suite).sample_sheet(task), subsets)
    print(", ".join(f"{name} {len(subset.code)}" for name, subset in subsets.items()))


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset")
    parser.add_argument("bias")
    parser.add_argument("--suite", default="default")
    program.run(inject, parser)
