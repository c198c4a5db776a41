"""A data set by its name: the class that its YAML names, with the YAML's settings."""

from __future__ import annotations

from typing import Any

from benchmark import paths
from benchmark.api import Dataset
from benchmark.config import parse, read_yaml
from benchmark.errors import raise_unknown
from benchmark.registry import DATASETS


def read_named(name: str) -> tuple[str, Any]:
    """The registered name of a data set, and the settings of its YAML.

    The registered name is the file's, or what its key ``dataset`` says: so ``tb.yaml`` and ``covid.yaml`` can both be
    manifests.

    Raises:
        BenchmarkError: If there is no such file, or nothing is registered under the name.
    """
    path = paths.dataset_yaml(name)
    if not path.is_file() and name not in DATASETS:
        known = sorted({*DATASETS, *(file.stem for file in path.parent.glob("*.yaml"))})
        raise_unknown("dataset", name, known, do=f"Or write {path}.")
    content = read_yaml(path)
    registered = content.pop("dataset", name) if isinstance(content, dict) else name
    if registered not in DATASETS:
        raise_unknown("dataset", registered, DATASETS, do=f"Install the package that brings it, or mend {path}.")
    return str(registered), content


def registered_name(name: str) -> str:
    """Under which name a data set's class is registered."""
    return read_named(name)[0]


def load_dataset(name: str) -> Dataset:
    """The data set of ``pipelines/configs/datasets/<name>.yaml``.

    Raises:
        BenchmarkError: As :func:`read_named`, or if a setting does not fit.
    """
    registered, content = read_named(name)
    kind = DATASETS.get(registered)
    dataset: Dataset = kind(parse(kind.Settings, content, str(paths.dataset_yaml(name))))
    return dataset
