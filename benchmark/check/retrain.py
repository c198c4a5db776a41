"""Tier (b): a few models trained again, and their accuracies inside the prediction bands of the stored ones.

Which ones is written down in ``pipelines/configs/regression.yaml``. They are trained as the suite trains them, into a
temporary folder, whatever lies in ``runs/``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field, field_validator

from benchmark import paths, skipped
from benchmark.api import Floats, Options
from benchmark.cell import Cell
from benchmark.check.band import Band, sample_band, sample_gap_band, training_band
from benchmark.check.found import Left, Moved, Part
from benchmark.check.show import one
from benchmark.data.pack import read_attributes
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import sha256_file
from benchmark.jobs import make_jobs
from benchmark.metrics.generalization import ACCURACY
from benchmark.predictions import Predictions
from benchmark.scoring.merged import merge
from benchmark.training.job import Job
from benchmark.training.pool import train_seeds
from benchmark.training.progress import Display

SETTINGS = paths.CONFIGS / "regression.yaml"

OUTSIDE = 2
"""So many values of a model outside of their bands are a drift; with three models and seeds luck does that in 1 to 5 of
100 runs (docs/regression.md)."""


class Regression(Options):
    """regression.yaml: what is trained again."""

    level: float = Field(0.95, gt=0, lt=1, description="of all models together")
    train: dict[str, dict[str, tuple[int, ...]]] = Field(description="suite -> cell -> seeds")

    @field_validator("train")
    @classmethod
    def _seeds(cls, train: dict[str, dict[str, tuple[int, ...]]]) -> dict[str, dict[str, tuple[int, ...]]]:
        for key, seeds in (item for cells in train.values() for item in cells.items()):
            if not seeds or len(set(seeds)) < len(seeds):
                raise ValueError(f"seeds of {key} must be different and at least one, got {list(seeds)}")
        return train


class Named(Display):
    """Progress of trainings of several cells; a key is a place in the list of jobs."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__("", [], 0)
        self.bars = None  # a line an epoch, in a terminal too: there are few
        self.jobs = jobs

    def show(self, seed: int, done: int, epochs: int, row: dict[str, float], seconds: float) -> None:
        job = self.jobs[seed]
        self.title = job.cell.key
        super().show(job.seed, done, epochs, row, seconds)


class Value(NamedTuple):
    """An accuracy, or a gap, of a retrained model beside the stored ones.

    Attributes:
        name: Variant and metric.
        stored: That of the stored training.
        new: That of the new one.
        band: Where the new one may lie.
    """

    name: str
    stored: float
    new: float
    band: Band


def retrain(suite: paths.SuitePaths, settings: Regression, workers: int | None = None) -> Part:
    """Trains what the settings name of a suite, and compares.

    Raises:
        BenchmarkError: If a cell or seed is none of the suite, or a pack or stored predictions are missing.
    """
    part = Part(suite.name, "models trained again against stored ones")
    chosen = settings.train.get(suite.name, {})
    if not chosen:
        part.left.append(Left(f"trainings of {suite.name}", f"{SETTINGS} names none"))
    with tempfile.TemporaryDirectory() as name:
        jobs = []
        for cell, seeds in _cells(suite, chosen).items():
            if mark := skipped.in_attributes(read_attributes(_pack(suite, cell))):
                part.left.append(Left(cell.key, f"skipped: {mark.reason}", excused=True))
            else:
                jobs += jobs_of(suite, cell, seeds, Path(name))
        if jobs:
            train_seeds(jobs, Named(jobs), workers, keys=range(len(jobs)))
        for job in jobs:
            compare_job(suite, job, 1 - (1 - settings.level) / len(jobs), part)
    return part


def _cells(suite: paths.SuitePaths, chosen: dict[str, tuple[int, ...]]) -> dict[Cell, tuple[int, ...]]:
    """The chosen cells, each of the suite, with seeds of the suite."""
    known = suite.suite()
    cells = {cell.key: cell for cell in known.cells()}
    for key, seeds in chosen.items():
        if key not in cells:
            raise_unknown(f"cell in {SETTINGS}", key, cells)
        if strange := sorted(set(seeds) - set(known.seeds)):
            expected = f"among {', '.join(map(str, known.seeds))}, the suite's"
            raise BenchmarkError(f"seed of {key} in {SETTINGS}", got=strange[0], expected=expected)
    return {cells[key]: seeds for key, seeds in chosen.items()}


def _pack(suite: paths.SuitePaths, cell: Cell) -> Path:
    pack = paths.biased_pack(cell.task)
    if not pack.is_file():
        stage = f"inject@{cell.task}"
        target = stage if suite.name == "default" else f"{suite.pipeline}:{stage}"
        raise BenchmarkError(f"pack {pack} is missing", do=f"Run `dvc repro {target}`: it makes the pack in a minute.")
    return pack


def jobs_of(suite: paths.SuitePaths, cell: Cell, seeds: tuple[int, ...], folder: Path) -> list[Job]:
    """One job a seed, as the suite trains it."""
    return make_jobs(cell, suite, sha256_file(_pack(suite, cell)), folder / cell.key, seeds)


def compare_job(suite: paths.SuitePaths, job: Job, level: float, part: Part) -> None:
    """Adds to the part what a retrained model says: it has moved if two of its values are outside of their bands.

    One of many is outside by luck. A real drift of a variant moves its accuracy and its gap, one of all variants all
    accuracies. A model with one value only has no second one.

    Args:
        suite: Of the stored model.
        job: Of the new one.
        level: Of each band.
        part: Where it is told.

    Raises:
        BenchmarkError: If the stored predictions are missing or do not hold the seed.
    """
    from benchmark.training.seed import PREDICTIONS  # loads torch

    stored = Predictions.read(suite.predictions(job.cell))
    new = merge([Predictions.read(job.folder / PREDICTIONS)])  # rounded as the stored ones are
    name = f"{job.cell.key} seed {job.seed}"
    if job.seed not in stored.seeds:
        expected = f"one of {', '.join(map(str, stored.seeds.tolist()))}"
        raise BenchmarkError(f"stored predictions of {job.cell.key} lack the seed", got=job.seed, expected=expected)
    place = stored.seeds.tolist().index(job.seed)
    if (old := stored.attributes.get("data", "")) != job.pack_sha256:
        part.moved.append(Moved("retrained", name, "data", old[:12], job.pack_sha256[:12], "equal"))
    if strange := [v for v in new.tested.keys() | stored.tested.keys() if not _same_images(stored, new, v)]:
        part.moved.append(Moved("retrained", name, "test images", "as stored", ", ".join(sorted(strange)), "equal"))
        return
    values = values_of(stored, place, new, level)
    part.compared += len(values)
    outside = [value for value in values if not value.band.holds(value.new)]
    for value in outside:
        allowed = f"{value.band.low:.4f} to {value.band.high:.4f} ({value.band.basis})"
        found = f"{value.stored:.4f}", f"{value.new:.4f}"
        moved = Moved("retrained", f"{name} {value.name}", "value", *found, allowed)
        if len(outside) >= min(OUTSIDE, len(values)):
            part.moved.append(moved)
        else:
            part.notes.append(f"outside, as luck may have it: {one(moved)}")
    equal = all(np.array_equal(stored.logits[v][place], new.logits[v][0]) for v in new.logits)
    told = ", ".join(f"{value.name} {value.stored:.4f} → {value.new:.4f}" for value in values)
    part.notes.append(f"{name}: logits {'as recorded' if equal else 'differ from the recorded ones'}; {told}")


def _same_images(stored: Predictions, new: Predictions, variant: str) -> bool:
    return variant in stored.tested and variant in new.tested and stored.tested[variant].same_as(new.tested[variant])


def values_of(stored: Predictions, place: int, new: Predictions, level: float) -> list[Value]:
    """Accuracy on every variant, and what each takes from ``iid``, of the stored and of the new training.

    Args:
        stored: All stored seeds, on the images of ``new``.
        place: Which of them was trained again.
        new: One seed.
        level: Of the bands.
    """
    old = {v: _accuracies(stored, v) for v in new.tested}
    found = {v: float(_accuracies(new, v)[0]) for v in new.tested}
    units = {v: len(np.unique(images.unit)) for v, images in new.tested.items()}
    values = []
    for v in new.tested:
        before, after = float(old[v][place]), found[v]
        band = training_band(old[v], place, level=level) or sample_band(before, after, units[v], level=level)
        values.append(Value(f"{v} accuracy", before, after, band))
    for v in (v for v in new.tested if v != "iid" and "iid" in new.tested):
        gaps = old["iid"] - old[v]
        pairs = (float(old["iid"][place]), float(old[v][place])), (found["iid"], found[v])
        band = training_band(gaps, place, level=level) or sample_gap_band(
            *pairs, min(units["iid"], units[v]), level=level
        )
        values.append(Value(f"{v} accuracy_gap", float(gaps[place]), found["iid"] - found[v], band))
    return values


def _accuracies(stored: Predictions, variant: str) -> Floats:
    """``[S]``."""
    label = stored.tested[variant].label
    return np.array([ACCURACY.function(logits, label) for logits in stored.logits[variant]], float)
