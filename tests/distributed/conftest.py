"""A tiny biased pack whose marks are sometimes those of another class."""

from pathlib import Path

import pytest
from made_images import bars

from benchmark.biases.corner import Corner
from benchmark.data.pack_write import write_columns
from benchmark.inject import inject


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    subsets = inject(bars(140), Corner(Corner.Settings(correlation=0.8)))
    write_columns(path, {name: subset.columns() for name, subset in subsets.items()}, {})
    return path
