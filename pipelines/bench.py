"""Measure what training through heatmaps costs: the relevance engine and its peers, as multiples of the plain step.

Writes results/lrp/bench.csv and, beside it, cost.svg; prints whether the engine keeps its bounds. One CPU thread, and
the GPU too when there is one. A run of fewer networks, sizes or cases, and a --quick one, writes to runs/bench/.
The full run takes about ten minutes of a CPU core; it says so itself, for this machine, when it starts.

Not in the table: captum's training step (its heatmaps have no graph). Timed only, because their maps or gradients are
not right on these networks: zennit_eps, captum_lrp. isnet_lazy takes every third step with a heatmap.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmark import paths
from benchmark.backbone import import_timm
from benchmark.errors import BenchmarkError
from benchmark.training.progress import clock
from pipelines import program
from pipelines.lrp_bench import memory, rows, timing
from pipelines.lrp_bench.blocks import Block, plan
from pipelines.lrp_bench.cases import CASES
from pipelines.lrp_bench.figure import draw
from pipelines.lrp_bench.rows import Row
from pipelines.lrp_bench.verdicts import verdicts

NETWORKS, SIZES, ROUNDS = ["resnet18", "densenet121"], [64, 224], 4
QUICK_NETWORK, QUICK_SIZE = "test_resnet", 32
PUBLISHED, TRIAL = paths.RESULTS / "lrp" / "bench.csv", paths.RUNS / "bench" / "bench.csv"


class Progress:
    """Lines with the time left, from what a plain step of each block takes."""

    def __init__(self, blocks: Sequence[Block], steps: int) -> None:
        self.blocks, self.current, self.memory = blocks, 0, 8 + 4 * steps

    def left(self, done: int = -1) -> str:
        """Of the current block after ``done`` rounds, and of all that follows."""
        here = self.blocks[self.current].seconds_left(done)
        rest = sum(block.seconds_left() for block in self.blocks[self.current + 1 :])
        return clock(here + rest + self.memory)

    def after(self, done: int) -> None:
        block = self.blocks[self.current]
        print(f"{title(block)}: {done} of {block.rounds} rounds, {self.left(done)} left", flush=True)


def title(block: Block) -> str:
    return f"[{block.device}] {block.network}, {block.px} px"


def devices(wanted: str | None) -> list[str]:
    """The CPU, and a GPU if there is one.

    Raises:
        BenchmarkError: If a GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BenchmarkError("--device", got=wanted, expected="a GPU that PyTorch can use", do="Say --device cpu.")
    return [wanted] if wanted else ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def remember(blocks: Sequence[Block], quick: bool) -> list[Row]:
    """The rows of peak memory."""
    jobs = {job: block for block in blocks for job in block.jobs(quick)}
    found = memory.peaks(list(jobs))
    return [
        block.row(job.case, "memory_ratio", found[job] / found[job._replace(case=None, maps=1)], job.maps, repeats=1)
        for job, block in jobs.items()
        if job.case is not None
    ]


def show(found: Sequence[Row]) -> None:
    for row in found:
        maps = f", {row.classes} maps" if row.classes > 1 else ""
        print(f"    {row.case + maps:<18} {row.quantity:<15} {row.value:6.3f}", flush=True)


def bench(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    timing.keep_memory()
    import_timm()
    quick, rng = arguments.quick, random.Random(0)  # noqa: S311 -- an order of timings
    networks = arguments.networks or ([QUICK_NETWORK] if quick else NETWORKS)
    sizes = arguments.px or ([QUICK_SIZE] if quick else SIZES)
    whole = not (quick or arguments.networks or arguments.px or arguments.cases)
    target = arguments.out or (PUBLISHED if whole else TRIAL)
    rounds = arguments.rounds or (1 if quick else ROUNDS)
    blocks = [
        block
        for device in devices(arguments.device)
        for block in plan(networks, sizes, arguments.cases or list(CASES), device, rounds)
    ]
    for block in blocks:
        block.problem()  # a wrong name ends here, and the first look at the plain step tells the time
    progress = Progress(blocks, sum(len(block.jobs(quick)) for block in blocks))
    print(f"{len(blocks)} blocks, one thread, batch 4: about {progress.left()} on this machine; writes {target}")
    start = time.monotonic()
    found: list[Row] = []
    for number, block in enumerate(blocks):
        progress.current = number
        new = block.run(rng, progress.after)
        show(new)
        found += new
    print("peak memory, a process each", flush=True)
    new = remember(blocks, quick)
    show(new)
    found += new
    rows.write(found, target)
    draw(found, target.with_name("cost.svg"))
    print(f"{target} and cost.svg, {clock(time.monotonic() - start)}\n")
    print("\n".join(verdicts(found)))
    print("\nNot measured: captum_lrp's training step; its heatmaps have no graph.")
    print("Timed only, not right on these networks: zennit_eps (map and weights' gradient), captum_lrp (map).")


def positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("--networks", nargs="+", metavar="NAME", help=f"timm's names (default: {' '.join(NETWORKS)})")
    parser.add_argument("--px", nargs="+", type=positive, help="sides of the images (default: 64 224)")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--rounds", type=positive, help=f"timings of each, small images three times that ({ROUNDS})")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: the CPU, and the GPU if there is one")
    parser.add_argument("--out", type=Path, help="the table's file")
    parser.add_argument("--quick", action="store_true", help="one round of a tiny network: seconds")
    program.run(bench, parser)
