"""Stage fetch: put a data set's raw files into data/raw/<dataset>, hashes checked."""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.api import Dataset
from benchmark.config import load
from benchmark.files import atomic_path
from benchmark.registry import DATASETS
from pipelines import program


def make_dataset(name: str) -> Dataset:
    """The registered data set with its checked settings."""
    kind = DATASETS.get(name)
    dataset: Dataset = kind(load(kind.Settings, paths.dataset_yaml(name)))
    return dataset


def fetch(arguments: argparse.Namespace) -> None:
    dataset = make_dataset(arguments.dataset)
    with atomic_path(paths.raw(arguments.dataset)) as folder:
        folder.mkdir()
        dataset.fetch(folder)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("dataset", help="a name in benchmark/registry.py or of a plug-in")
    program.run(fetch, parser)
