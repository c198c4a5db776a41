"""Trains all seeds of a cell, each by several processes: DDP inside one run.

What comes out lies in runs/.work/<suite>/<cell>/, where `python -m pipelines.train CELL` then finds it. With several
machines, run the same command on each, with its --node-rank, in one shared project folder.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmark import making, paths, skipped
from benchmark.cell import Cell
from benchmark.data.pack import read_attributes
from benchmark.distributed.group import Group, accelerator_of
from benchmark.distributed.start import train_seeds
from benchmark.errors import BenchmarkError
from pipelines import program
from pipelines.train import jobs_of


class Watch(making.Watch):
    """A display that notes how many processes each training has."""

    def __init__(self, processes: int, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.common |= {"processes": processes, "at_once": 1}


def distributed(arguments: argparse.Namespace) -> None:
    cell, suite = Cell.parse(arguments.cell), paths.SuitePaths(arguments.suite)
    meeting = f"tcp://{arguments.main_address}:{arguments.main_port}"
    kind = accelerator_of(arguments.accelerator)
    group = Group(arguments.devices, arguments.num_nodes, arguments.node_rank, meeting, kind)
    group.check()
    if group.nodes > 1 and not arguments.main_address:
        raise BenchmarkError("--main-address", expected="the first machine's name, where there are several")
    if skipped.in_attributes(read_attributes(paths.biased_pack(cell.task))):
        print(
            f"{cell.key}: its data is skipped, so there is nothing to train; run: python -m pipelines.train {cell.key}"
        )
        return
    jobs = jobs_of(cell, suite)
    if arguments.dry_run:
        print("\n".join(f"{cell.key} seed {job.seed}: {group.size} processes" for job in jobs))
        return
    if group.node == 0:
        for job in jobs:
            making.adopt(job)
    train_seeds(jobs, Watch(group.size, cell.key, jobs, 1), group)
    if group.node == 0:
        print(f"{cell.key}: trained by {group.size} processes; now run: python -m pipelines.train {cell.key}")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("cell", help="dataset-bias-method")
    parser.add_argument("--suite", default="default")
    parser.add_argument("--devices", type=int, required=True, help="processes on this machine, one a device")
    parser.add_argument("--num-nodes", type=int, default=1, help="machines")
    parser.add_argument("--node-rank", type=int, default=0, help="number of this machine, from 0")
    parser.add_argument("--main-address", default="", help="name of the first machine")
    parser.add_argument("--main-port", type=int, default=29500, help="a free port there")
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--dry-run", action="store_true", help="check everything, list the trainings, train nothing")
    program.run(distributed, parser)
