"""What a measurement of costs needs of a suite: its methods with their settings, and some of its images."""

from __future__ import annotations

from dataclasses import replace

from benchmark import paths
from benchmark.config import load_method
from benchmark.costs import Recipe
from benchmark.training.data import Sets, Tensors, load_tensors
from benchmark.training.seed import make_method

REFERENCE, SOME = "erm", 256


def recipes_of(suite: paths.SuitePaths) -> dict[str, Recipe]:
    """The suite's methods, the reference first."""
    names = sorted(suite.suite().matrix.method, key=lambda name: name != REFERENCE)
    files = {name: load_method(suite.method_yaml(name)) for name in names}
    return {name: Recipe(make_method(file.method, file.options), file.training) for name, file in files.items()}


def some_images(suite: paths.SuitePaths) -> tuple[Sets, int]:
    """Images from all over the first task's sets, and how many it trains on."""
    pack = paths.biased_pack(suite.suite().cells()[0].task)

    def some(tensors: Tensors) -> Tensors:
        step = max(1, len(tensors) // SOME)
        return replace(tensors, **{name: value[::step] for name, value in vars(tensors).items()})

    train, val, balanced = (load_tensors(pack, name) for name in ("train", "val", "balanced"))
    return Sets(some(train), some(val), some(balanced)), len(train)
