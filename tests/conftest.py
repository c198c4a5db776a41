"""One thread for every test, and timm importable beside a CPU build of torch."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


def pytest_configure(config: pytest.Config) -> None:
    import torch

    from benchmark.backbone import import_timm

    torch.set_num_threads(1)
    import_timm()
