"""Trains and scores the stale cells of a suite, several at once, on this machine, a Ray cluster or SLURM.

    python -m benchmark launch default --jobs 2

Cells that are fresh are left alone. A cell that fails does not stop the others. Ctrl-C ends all; the same command goes
on where it stopped. What finished goes into dvc.lock, unless code, settings or data changed meanwhile. Exit code: 0 all
cells are fresh now, 1 some failed, 130 or 143 stopped. docs/scale.md tells more.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmark import paths
from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmark.launch.work import Engine


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("suite", help="such as default: its stages are in pipelines/<suite>/dvc.yaml")
    parser.add_argument("--engine", choices=("local", "ray", "slurm"), default="local", help="(default: local)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs in use, one a cell (default: local: all, else: 0)")
    parser.add_argument("--jobs", type=int, metavar="N", help="cells at once (default: as many as fit)")
    parser.add_argument("--cpus", type=int, metavar="N", help="cores of a cell (default: 1; local with GPUs: a share)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells whose names match, such as '*-corner-*'")
    parser.add_argument("--dry-run", action="store_true", help="list what is stale, run nothing")
    parser.add_argument("--address", help="ray: host:port of the cluster, or auto; slurm: local, to try it out here")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="slurm: of sbatch, such as partition=gpu"
    )


def run(options: argparse.Namespace) -> None:
    """Launches.

    Raises:
        BenchmarkError: On a bad option, an unknown suite, a second launch, or a GPU that no machine has.
        SystemExit: With the exit code, unless it is 0.
    """
    from benchmark.launch.launch import describe, launch

    for name in ("jobs", "cpus", "gpus"):
        value, least = getattr(options, name), 0 if name == "gpus" else 1
        if value is not None and value < least:
            raise BenchmarkError(f"--{name}", got=value, expected=f"{least} or more")
    suite = paths.SuitePaths(options.suite)
    make_engine, cpus, gpus = ENGINES[options.engine](options)
    if options.dry_run:
        from benchmark.launch.graph import Graph
        from benchmark.launch.plan import make_plan

        print(describe(make_plan(Graph(suite), options.only), suite, cpus, gpus))
    elif code := launch(suite, options.only, make_engine, cpus, gpus):
        raise SystemExit(code)


Made = tuple["Callable[[], Engine]", int, int]
"""What makes the engine, and cores and GPUs of a cell."""


def local(options: argparse.Namespace) -> Made:
    """This machine: a GPU a cell where there are any, else a core a cell."""
    from benchmark.launch.gpus import visible_gpus
    from benchmark.launch.local import Local, make_slots

    refuse(options, "address", "option")
    present, cores = visible_gpus(), len(os.sched_getaffinity(0))
    if options.gpus is not None and options.gpus > len(present):
        raise BenchmarkError("--gpus", got=options.gpus, expected=f"at most {len(present)}, the GPUs of this machine")
    used = present if options.gpus is None else present[: options.gpus]
    jobs = options.jobs or len(used) or max(1, cores // (options.cpus or 1))
    cpus = options.cpus or (max(1, cores // jobs) if used else 1)
    slots = make_slots(jobs, cpus, used)
    return (lambda: Local(slots)), cpus, int(bool(used))


def ray(options: argparse.Namespace) -> Made:
    """A Ray cluster, or Ray on this machine if no address is given."""
    refuse(options, "option")
    cpus, gpus = options.cpus or 1, options.gpus or 0

    def make() -> Engine:
        from benchmark.launch.on_ray import OnRay

        return OnRay(options.address, most(options.jobs, gpus), cpus, int(bool(gpus)))

    return make, cpus, int(bool(gpus))


def slurm(options: argparse.Namespace) -> Made:
    """Arrays of SLURM jobs."""
    cpus, gpus = options.cpus or 1, options.gpus or 0

    def make() -> Engine:
        from benchmark.launch.on_slurm import OnSlurm

        return OnSlurm(options.address, most(options.jobs, gpus) or 100, cpus, int(bool(gpus)), options.option)

    return make, cpus, int(bool(gpus))


def most(jobs: int | None, gpus: int) -> int | None:
    """Cells at once: not more than asked for, nor than there are GPUs for; ``None``: as many as fit."""
    return min(jobs or gpus, gpus) if gpus else jobs


def refuse(options: argparse.Namespace, *names: str) -> None:
    """Refuses options that the engine would not heed.

    Raises:
        BenchmarkError: If one is given.
    """
    for name in names:
        if value := getattr(options, name):
            raise BenchmarkError(f"--{name} says nothing to engine {options.engine}", got=value, do="Leave it out.")


ENGINES: dict[str, Callable[[argparse.Namespace], Made]] = {"local": local, "ray": ray, "slurm": slurm}
