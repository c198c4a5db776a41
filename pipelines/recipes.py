"""What a measurement of costs needs of a suite: its methods with their settings, and some of its images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark import paths, skipped
from benchmark.config import load_method
from benchmark.costs import Recipe
from benchmark.data.pack import groups, read_attributes
from benchmark.errors import BenchmarkError
from benchmark.training.data import BALANCED, Sets, Tensors, load_tensors
from benchmark.training.seed import make_method

REFERENCE, SOME = "erm", 256


def recipes_of(suite: paths.SuitePaths) -> dict[str, Recipe]:
    """The suite's methods, the reference first."""
    names = sorted(suite.suite().matrix.method, key=lambda name: name != REFERENCE)
    files = {name: load_method(suite.method_yaml(name)) for name in names}
    return {name: Recipe(make_method(file.method, file.options), file.training) for name, file in files.items()}


def first_pack(suite: paths.SuitePaths) -> Path | None:
    """The biased pack of the first task that is not skipped, if there is one."""
    packs = dict.fromkeys(paths.biased_pack(cell.task) for cell in suite.suite().cells())
    return next((pack for pack in packs if not skipped.in_attributes(read_attributes(pack))), None)


def some_images(suite: paths.SuitePaths) -> tuple[Sets, int]:
    """Images from all over the sets of the first task that is not skipped, and how many it trains on.

    Raises:
        BenchmarkError: If all tasks are skipped.
    """
    if (pack := first_pack(suite)) is None:
        raise BenchmarkError(f"every task of suite {suite.name} is skipped", do="See its report.")

    def some(tensors: Tensors) -> Tensors:
        step = max(1, len(tensors) // SOME)
        return replace(tensors, **{name: value[::step] for name, value in vars(tensors).items()})

    train, val = (load_tensors(pack, name) for name in ("train", "val"))
    balanced = some(load_tensors(pack, BALANCED)) if BALANCED in groups(pack) else None
    return Sets(some(train), some(val), balanced), len(train)
