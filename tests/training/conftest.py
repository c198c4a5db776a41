"""A tiny biased pack: real files, made in a second."""

from pathlib import Path

import pytest
from jobs import strokes

from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    subsets = inject(strokes(192), Corner(Corner.Settings()))
    write_columns(path, {name: subset.columns() for name, subset in subsets.items()}, {})
    return path
