"""Measure what each method of a suite costs: training step and inference, as multiples of the plain classifier's.

Prints a table; writes nothing. One thread, about half a minute for the default suite.
"""

from __future__ import annotations

import argparse

import torch

from benchmark import paths
from benchmark.api import Batch, Task
from benchmark.config import load_method
from benchmark.costs import measure
from benchmark.training.seed import limit_threads, make_method
from pipelines import program

REFERENCE = "erm"


def bench(arguments: argparse.Namespace) -> None:
    limit_threads()
    suite = paths.SuitePaths(arguments.suite)
    names = sorted(suite.suite().matrix.method, key=lambda name: name != REFERENCE)
    files = {name: load_method(suite.method_yaml(name)) for name in names}
    size = arguments.size
    rng = torch.Generator().manual_seed(0)
    mask = torch.zeros(arguments.batch, 1, size, size)
    mask[:, :, size // 4 : -size // 4, size // 4 : -size // 4] = 1
    batch = Batch(
        image=torch.rand(arguments.batch, 1, size, size, generator=rng),
        label=torch.randint(0, 10, (arguments.batch,), generator=rng),
        mask=mask,
    )
    task = Task(files[names[0]].training.backbone, 10, 1, size, size)
    methods = {name: make_method(file.method, file.options) for name, file in files.items()}
    rows = measure(methods, task, batch, arguments.rounds)
    print(f"{task.backbone}, {size} px, batch {arguments.batch}, one thread, shortest of {arguments.rounds}")
    print(f"{'method':<14}{'step ÷ ' + names[0]:>12}{'inference ÷':>13}{'params':>10}  needs")
    for row in rows:
        print(
            f"{row['method']:<14}{row['step_ratio']:>12}{row['inference_ratio']:>13}{row['params']:>10}  {row['needs']}"
        )


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    parser.add_argument("--size", type=int, default=28, help="pixels a side")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=30)
    program.run(bench, parser)
