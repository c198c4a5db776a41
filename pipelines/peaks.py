"""Peak memory of a training step of each method of a suite, in bytes above model and images, printed as JSON.

A process each, forked from one that has imported everything and computed nothing, under the allocator's settings of
benchmark.memory, which a process has only from its start: the stage costs starts this program with them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
from multiprocessing.connection import Connection

from benchmark import paths
from benchmark.backbone import import_timm
from benchmark.costs import Recipe, Steps
from benchmark.errors import BenchmarkError
from benchmark.memory import environment, peak
from benchmark.training.data import Sets
from benchmark.training.seed import limit_threads
from pipelines import program
from pipelines.recipes import recipes_of, some_images


def of_suite(name: str) -> dict[str, int]:
    """Bytes by method.

    Raises:
        BenchmarkError: If a step failed.
    """
    command = [sys.executable, "-m", "pipelines.peaks", name]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchmarkError("peak memory could not be measured", do="The reason is above.")
    found: dict[str, int] = json.loads(done.stdout)
    return found


def measure_peak(recipe: Recipe, sets: Sets, result: Connection) -> None:
    """In the child."""
    steps = Steps(recipe, sets)
    result.send(peak(steps, steps.release))


def peaks(arguments: argparse.Namespace) -> None:
    limit_threads()
    import_timm()
    fork = multiprocessing.get_context("fork")
    suite = paths.SuitePaths(arguments.suite)
    sets, _ = some_images(suite)
    found = {}
    for name, recipe in recipes_of(suite).items():
        ours, theirs = fork.Pipe(duplex=False)
        child = fork.Process(target=measure_peak, args=(recipe, sets, theirs))
        child.start()
        theirs.close()
        try:
            found[name] = ours.recv()
        except EOFError as error:
            raise BenchmarkError(f"a training step of {name!r} failed", do="The reason is above.") from error
        child.join()
    print(json.dumps(found))


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite")
    program.run(peaks, parser)
