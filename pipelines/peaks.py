"""Peak memory of a training step of each method of a suite, in bytes above model and images, printed as JSON.

The stage costs starts this program through benchmark.memory, whose allocator's settings it needs from its start.
"""

from __future__ import annotations

import argparse
import json

from benchmark import paths
from benchmark.backbone import import_timm
from benchmark.costs import Recipe, Steps
from benchmark.memory import in_child, peak
from benchmark.training.data import Sets
from benchmark.training.seed import limit_threads
from pipelines import program
from pipelines.recipes import recipes_of, some_images


def of_step(recipe: Recipe, sets: Sets) -> int:
    """Bytes of one training step of each phase."""
    steps = Steps(recipe, sets)
    return peak(steps, steps.release)


def peaks(arguments: argparse.Namespace) -> None:
    limit_threads()
    import_timm()
    suite = paths.SuitePaths(arguments.suite)
    sets, _ = some_images(suite)
    found = {name: in_child(repr(name), of_step, recipe, sets) for name, recipe in recipes_of(suite).items()}
    print(json.dumps(found))


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite")
    program.run(peaks, parser)
