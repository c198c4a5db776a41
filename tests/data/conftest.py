"""The real digits, made once by the shipped settings."""

from pathlib import Path

import pytest

from benchmark.api import Images
from benchmark.biases.corner import Corner
from benchmark.config import load
from benchmark.data.mnist5k import MNIST5k
from benchmark.inject import Subset, inject

CONFIGS = Path(__file__).resolve().parents[2] / "pipelines" / "configs"


@pytest.fixture(scope="session")
def mnist5k() -> MNIST5k:
    return MNIST5k(load(MNIST5k.Settings, CONFIGS / "datasets" / "mnist5k.yaml"))


@pytest.fixture(scope="session")
def digits(mnist5k: MNIST5k, tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder = tmp_path_factory.mktemp("raw")
    mnist5k.fetch(folder)
    return mnist5k.load(folder)


@pytest.fixture(scope="session")
def biased_digits(digits: Images) -> dict[str, Subset]:
    bias = Corner(load(Corner.Settings, CONFIGS / "biases" / "corner.yaml"))
    return inject(digits, bias)
