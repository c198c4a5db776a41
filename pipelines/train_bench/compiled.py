"""torch.compile, from cold: what it takes before the first step."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipelines.train_bench.bare import Bare


def missing() -> str:
    """Why nothing can be compiled on this machine's CPU; empty where it can."""
    named = os.environ.get("CXX")
    return "" if any(map(shutil.which, [named] if named else ["g++", "clang++"])) else "there is no C++ compiler"


@contextmanager
def no_caches() -> Iterator[None]:
    """No compiled code of an earlier run, and all of it compiled in this process, by one core."""
    from torch._inductor import config

    name, before = "TORCHINDUCTOR_CACHE_DIR", os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ[name] = folder
        try:
            with config.patch(force_disable_caches=True, compile_threads=1):
                yield
        finally:
            os.environ.pop(name) if before is None else os.environ.update({name: before})


def compile_step(bare: Bare) -> float:
    """Compiles the loop's network, forward and backward; seconds of the wall until the first steps are done."""
    start = time.perf_counter()
    with no_caches():
        bare.network = torch.compile(bare.network)
        bare()
    return time.perf_counter() - start
