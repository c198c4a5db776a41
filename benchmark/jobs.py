"""The trainings of a cell, one job a seed, as every program that trains or looks for a trained seed makes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark import paths
from benchmark.cell import Cell
from benchmark.config import load_method
from benchmark.training.job import Job


def make_jobs(
    cell: Cell, suite: paths.SuitePaths, pack_sha256: str, folder: Path, seeds: Iterable[int] | None = None
) -> list[Job]:
    """One job a seed, with the method's settings in the suite.

    Args:
        cell: What is trained.
        suite: Whose settings.
        pack_sha256: Hash of the cell's biased pack.
        folder: Where the seeds' folders go.
        seeds: Those of the suite by default.

    Raises:
        BenchmarkError: If the method's settings are missing or bad.
    """
    settings, pack = load_method(suite.method_yaml(cell.method)), paths.biased_pack(cell.task)
    return [
        Job(
            cell=cell,
            method=settings.method,
            seed=seed,
            pack=pack,
            pack_sha256=pack_sha256,
            training=settings.training,
            options=settings.options,
            folder=folder / f"seed-{seed}",
        )
        for seed in (suite.suite().seeds if seeds is None else seeds)
    ]
