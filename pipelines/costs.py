"""Stage costs: what each method of a suite costs to train and to run, as multiples of the plain classifier's.

Times all methods in turn on images of the suite's first task, on one thread, with 95 % intervals over rounds, and takes
the peak memory of a training step of each in a process of its own. Writes results/<suite>/costs.csv and prints it.
"""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.costs import COLUMNS, TIMED, measure
from benchmark.memory import measured_by
from benchmark.tables import write_csv
from benchmark.training.seed import limit_threads
from pipelines import program
from pipelines.recipes import REFERENCE, first_pack, recipes_of, some_images


def costs(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    if first_pack(suite) is None:
        write_csv(suite.results / "costs.csv", [], COLUMNS)
        print("every task is skipped: nothing to measure")
        return
    limit_threads()
    memory = measured_by("pipelines.peaks", suite.name)
    sets, images = some_images(suite)
    rows = measure(recipes_of(suite), sets, images, memory, arguments.rounds)
    write_csv(suite.results / "costs.csv", rows, COLUMNS)
    print(f"{'method':<24}{'step ÷ ' + REFERENCE:>24}{'memory ÷':>10}{'inference ÷':>24}{'params':>10}  needs")
    for row in rows:
        step, run = (f"{row[name]} [{row[f'{name}_low']}, {row[f'{name}_high']}]" for name in TIMED)
        print(f"{row['method']:<24}{step:>24}{row['memory_ratio']:>10}{run:>24}{row['params']:>10}  {row['needs']}")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    parser.add_argument("--rounds", type=int, default=10, help="timings of each step (10)")
    program.run(costs, parser)
