"""Measure how fast the harness trains: images a second, beside a bare PyTorch loop and the authors' own training step.

Writes results/train/bench.csv and the tables of docs/speed.md; prints whether the loop keeps its bounds. One CPU thread
unless told otherwise, and the GPU when there is one. The full run takes about nine minutes of an idle core. A run of
fewer methods or backbones, of other sizes or threads, and a --quick one, writes to runs/bench/ and leaves the page.

Also measured, of erm: several seeds in one process, torch.compile with the time that it takes, channels-last against
contiguous, bfloat16. What each quantity means: docs/speed.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmark import paths
from benchmark.backbone import import_timm
from benchmark.training.progress import clock
from benchmark.training.seed import limit_threads
from pipelines import program
from pipelines.bench import devices, positive
from pipelines.train_bench import page, rows
from pipelines.train_bench.block import Block
from pipelines.train_bench.problem import Shape, recipe_of
from pipelines.train_bench.rows import Row, intervals
from pipelines.train_bench.timing import LEAST
from pipelines.train_bench.verdicts import verdicts

METHODS = ["erm", "isnet", "isnet_path", "isnet_original", "rrr", "gain", "bg_swap"]
SHAPES = {
    "cpu": [
        Shape("test_resnet", 28, 32, steps=2, channels=1),
        Shape("resnet18", 28, 32, steps=1),
        Shape("densenet121", 64, 8, steps=1),
    ],
    "cuda": [
        Shape("test_resnet", 28, 32, steps=20, channels=1),
        Shape("resnet18", 28, 128, steps=20),
        Shape("densenet121", 224, 32, steps=10),
    ],
}
"""The default suite's network, and the two that the authors' step has been timed on, at the same sizes."""

DEAR, SMALL = "isnet_original", 32
"""Up to this size the method that explains every logit is measured, and several seeds together."""

SEEDS = (3, 8)
SECONDS, QUICK_SECONDS, QUICK_LEAST = 120.0, 2.0, 2
EVERY = 15.0
"""Seconds between two lines of progress."""

PUBLISHED, TRIAL = paths.RESULTS / "train" / "bench.csv", paths.RUNS / "bench" / "train.csv"


def plan(arguments: argparse.Namespace) -> list[Block]:
    """The blocks that the command line asks for.

    Raises:
        BenchmarkError: If a method or the device is unknown.
    """
    methods = arguments.methods or (["erm", "isnet"] if arguments.quick else METHODS)
    blocks = []
    for device in devices(arguments.device):
        known = {shape.backbone: shape for shape in SHAPES[device]}
        wanted = arguments.backbones or list(known)[: 1 if arguments.quick else None]
        for number, name in enumerate(wanted):
            shape = known.get(name, Shape(name, 64, 8, steps=1))
            shape = replace(shape, px=arguments.px or shape.px, batch=arguments.batch or shape.batch)
            small = shape.px <= SMALL
            of_it = [method for method in methods if small or method != DEAR or arguments.methods]
            for method in of_it:
                recipe_of(method, shape)  # a wrong name ends here
            compiles = number == 0 and not (arguments.quick or arguments.no_compile)
            seeds = SEEDS if small and not arguments.quick else ()
            blocks.append(Block(shape, of_it, device, arguments.threads, seeds, compiles))
    return blocks


class Progress:
    """A line every so many seconds, with the time left."""

    def __init__(self, title: str, later: float) -> None:
        self.title, self.later = title, later
        self.start = self.last = time.monotonic()

    def __call__(self, done: float, of: int) -> None:
        now = time.monotonic()
        if done == 0:
            self.start = now
        elif now - self.last > EVERY:
            left = (of - done) * (now - self.start) / done + self.later
            print(f"{self.title}: {100 * done / of:.0f} %, {clock(left)} left", flush=True)
            self.last = now


def show(found: Sequence[Row]) -> None:
    for row, (value, low, high) in intervals(found).items():
        print(f"    {row.method:<16} {row.quantity:<24} {value:9.4g}  [{low:.4g}, {high:.4g}]", flush=True)


def bench(arguments: argparse.Namespace) -> None:
    limit_threads(arguments.threads)
    import_timm()
    quick = arguments.quick
    seconds = arguments.seconds or (QUICK_SECONDS if quick else SECONDS)
    changed = (arguments.methods, arguments.backbones, arguments.px, arguments.batch, arguments.seconds)
    whole = not (quick or any(changed) or arguments.threads != 1 or arguments.no_compile)
    target = arguments.out or (PUBLISHED if whole else TRIAL)
    blocks = plan(arguments)
    print(f"{len(blocks)} blocks, {clock(seconds)} each and what comes before; writes {target}", flush=True)
    start = time.monotonic()
    found: list[Row] = []
    for number, block in enumerate(blocks):
        print(f"{block.title}: setting up", flush=True)
        begun = time.monotonic()
        progress = Progress(block.title, (len(blocks) - number - 1) * seconds)
        new = block.run(seconds, QUICK_LEAST if quick else LEAST, progress)
        print(f"{block.title}: {clock(time.monotonic() - begun)}", flush=True)
        show(new)
        found += new
        last = number == len(blocks) - 1
        rows.write(found, target if last else TRIAL)  # what is measured is kept, and no half table is published
    print(f"{target}, {clock(time.monotonic() - start)}\n")
    print("\n".join(verdicts(found)))
    for note in dict.fromkeys(note for block in blocks for note in block.notes):
        print(f"\nNot measured: {note}.")
    if target == PUBLISHED:
        page.refresh(found)
        print(f"{page.PAGE} has its tables")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    shapes = ", ".join(shape.backbone for shape in SHAPES["cpu"])
    parser.add_argument("--methods", nargs="+", metavar="NAME", help=f"configurations (default: {' '.join(METHODS)})")
    parser.add_argument("--backbones", nargs="+", metavar="NAME", help=f"timm's names (default: {shapes})")
    parser.add_argument("--px", type=positive, help="side of the images")
    parser.add_argument("--batch", type=positive, help="images a step")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: the CPU, and the GPU if there is one")
    parser.add_argument("--threads", type=positive, default=1, help="of the CPU (1)")
    parser.add_argument("--seconds", type=float, help=f"of all rounds of a backbone ({SECONDS:.0f})")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: minutes on a busy machine")
    parser.add_argument("--out", type=Path, help="the table's file")
    parser.add_argument("--quick", action="store_true", help="two methods on a tiny network: seconds")
    program.run(bench, parser)
