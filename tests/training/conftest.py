"""A tiny biased pack: real files, made in a second."""

from pathlib import Path

import pytest
from jobs import strokes

from benchmark.biases.corner import Corner
from benchmark.data.pack import write_columns
from benchmark.inject import inject
from benchmark.seeding import numpy_stream


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    bias = Corner(Corner.Settings(version=1))
    subsets = inject(strokes(192), bias, numpy_stream(0, "injection"))
    write_columns(path, {name: subset.columns() for name, subset in subsets.items()}, {})
    return path
