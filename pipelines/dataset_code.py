"""Stage dataset_code: the hash of the code that decides a data set's pack.

Fetching and packing depend on the hash instead of on a folder of code, so that a converter that is added or mended
makes no other data set stale. Writes runs/code/datasets/<dataset>.json.
"""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.data.named import registered_name
from benchmark.files import write_json
from benchmark.provenance import hash_of
from benchmark.registry import DATASETS
from pipelines import program

PACKING = "benchmark.data.pack_write"


def dataset_code(arguments: argparse.Namespace) -> None:
    name = registered_name(arguments.dataset)
    write_json(paths.dataset_code(arguments.dataset), {"dataset": name, "code": hash_of(DATASETS.entry(name), PACKING)})


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset", help="the name of its YAML in pipelines/configs/datasets")
    program.run(dataset_code, parser)
