"""Stage train: train all seeds of a cell, side by side, and put them into runs/<suite>/<cell>/.

What made each of them, and when, goes to results/<suite>/made/<cell>.json.

Unfinished trainings live in runs/.work and go on where they stopped, however they were stopped.
"""

from __future__ import annotations

import argparse
import shutil

from benchmark import making, paths, skipped
from benchmark.cell import Cell
from benchmark.data.pack import groups, read_attributes
from benchmark.files import atomic_path, sha256_file, write_json
from benchmark.jobs import make_jobs
from benchmark.training.job import Job
from benchmark.training.pool import train_seeds
from pipelines import program


def jobs_of(cell: Cell, suite: paths.SuitePaths) -> list[Job]:
    """One job a seed of params.yaml, with everything checked that can be checked before training."""
    pack = paths.biased_pack(cell.task)
    groups(pack)  # a missing or corrupt pack is an error here, before any process starts
    return make_jobs(cell, suite, sha256_file(pack), suite.work(cell))


def train(arguments: argparse.Namespace) -> None:
    cell, suite = Cell.parse(arguments.cell), paths.SuitePaths(arguments.suite)
    if mark := skipped.in_attributes(read_attributes(paths.biased_pack(cell.task))):
        mark.hand_on(None if arguments.dry_run else suite.run(cell))
        if not arguments.dry_run:
            write_json(suite.made(cell), {})
        return
    jobs = jobs_of(cell, suite)
    if arguments.dry_run:
        print("\n".join(f"{job.cell.key} seed {job.seed}: {job.training.epochs} epochs" for job in jobs))
        return
    for job in jobs:
        making.adopt(job)
    train_seeds(jobs, making.Watch(cell.key, jobs, arguments.workers), arguments.workers)
    write_json(suite.made(cell), making.entries(jobs))  # before the run, which a launch takes over as it is
    with atomic_path(suite.run(cell)) as folder:
        folder.mkdir()
        for job in jobs:
            shutil.copytree(job.folder, folder / job.folder.name)
    shutil.rmtree(suite.work(cell))


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("cell", help="dataset-bias-method")
    parser.add_argument("--suite", default="default")
    parser.add_argument("--workers", type=int, help="trainings at once (default: by the number of cores)")
    parser.add_argument("--dry-run", action="store_true", help="check everything, list the trainings, train nothing")
    program.run(train, parser)
