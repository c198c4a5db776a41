"""The trials of a method: planned from its files, trained side by side, scored on validation images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.functional import cross_entropy

from benchmark import paths, skipped
from benchmark.api import Needs
from benchmark.cell import Cell
from benchmark.config import load_method
from benchmark.data.pack import groups, read_attributes
from benchmark.errors import BenchmarkError
from benchmark.files import read_json, sha256_file, write_json
from benchmark.registry import METHODS
from benchmark.scoring.models import NotFinite, load_model
from benchmark.training.data import BALANCED, Tensors, all_logits, load_tensors
from benchmark.training.job import Job
from benchmark.training.pool import train_seeds
from benchmark.tune.progress import Progress
from benchmark.tune.select import Scored
from benchmark.tune.settings import changed, load_search, values_of
from benchmark.tune.space import Search

VAL = "val"
SETS = (VAL, BALANCED)
"""What a trial is scored on: no test variant is ever read."""


@dataclass(frozen=True)
class Budget:
    """What every method gets."""

    trials: int
    epochs: int
    seed: int


@dataclass(frozen=True)
class Trial:
    """One training of a method with drawn settings.

    Attributes:
        values: The searched settings by dotted name.
        strength: That of ``values`` which says how much the method's own term counts, if any.
        job: The training; its folder is named by its fingerprint, so that an equal trial of any budget finds it.
    """

    number: int
    values: dict[str, Any]
    strength: float | None
    job: Job

    @property
    def name(self) -> str:
        return f"{self.job.cell.method} trial {self.number}"

    @property
    def failure(self) -> Path:
        """Where the error of a training is kept that ended in one."""
        return self.job.folder.with_name(f"{self.job.folder.name}.failed.json")

    @property
    def error(self) -> str:
        """Why the training came to no end; empty if it did, or has not been tried."""
        return str(read_json(self.failure)["error"]) if self.failure.is_file() else ""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return bool(self.error) or self.job.is_in(self.job.folder)


@dataclass(frozen=True)
class Plan:
    """All trials of one method."""

    cell: Cell
    search: Search
    trials: tuple[Trial, ...]


def plan(cell: Cell, suite: paths.SuitePaths, budget: Budget) -> Plan:
    """The trials of a method, with everything checked that can be checked before training.

    Raises:
        BenchmarkError: If a file, a setting, the pack or one of its groups is missing or wrong.
    """
    yaml = suite.method_yaml(cell.method)
    settings = load_method(yaml)
    file = paths.search_yaml(cell.method)
    search = load_search(file, settings)
    pack = paths.biased_pack(cell.task)
    if mark := skipped.in_attributes(read_attributes(pack)):
        raise BenchmarkError(f"{cell.key} cannot be tuned: {mark.dataset} is skipped", got=mark.reason, do=mark.do)
    if missing := sorted({"train", *SETS} - set(groups(pack))):
        raise BenchmarkError(
            f"pack {pack} lacks the group {missing[0]!r}", do="Run `dvc repro`: the stage inject makes it."
        )
    digest, own = sha256_file(pack), values_of(settings)
    trials = []
    for number in range(budget.trials):
        drawn = search.trial(cell.method, budget.seed, number)
        tried = changed(settings, drawn, f"trial {number} of {file}")
        job = Job(
            cell=cell,
            method=settings.method,
            seed=budget.seed,
            pack=pack,
            pack_sha256=digest,
            training=tried.training.model_copy(update={"epochs": budget.epochs}),
            options=tried.options,
            folder=Path(),
        )
        job = replace(job, folder=suite.tuning_work(cell) / job.fingerprint()[:16])
        values = {name: drawn.get(name, own[name]) for name in search.space}
        strength = None if search.strength is None else float(values[search.strength])
        trials.append(Trial(number, values, strength, job))
    return Plan(cell, search, tuple(trials))


def pending(plans: Sequence[Plan]) -> list[Trial]:
    """Trials that are left to train; of two with equal settings, one."""
    found = {trial.job.folder: trial for plan in plans for trial in plan.trials if not trial.finished}
    return list(found.values())


def train(trials: Sequence[Trial], progress: Progress, workers: int | None = None) -> None:
    """Trains them side by side. One that diverges leaves its error, and the others go on.

    Raises:
        BenchmarkError: If a process is killed from outside, or the code was edited meanwhile: a worker reads it when it
            starts, and trials of different code are not to be compared.
    """
    if not trials:
        return
    by_folder = {trial.job.folder: (key, trial) for key, trial in enumerate(trials)}

    def failed(job: Job, error: BenchmarkError) -> None:
        key, trial = by_folder[job.folder]
        write_json(trial.failure, {"fingerprint": job.fingerprint(), "error": str(error)})
        job.checkpoint.unlink(missing_ok=True)
        progress.fail(key, error)

    train_seeds([trial.job for trial in trials], progress, workers, keys=range(len(trials)), failed=failed)
    if strange := [trial.name for trial in trials if not trial.finished]:
        raise BenchmarkError(
            f"{', '.join(strange)} ended as another training than the one that was planned",
            got="other code or packages",
            expected="no edit while trials run",
            do="Run again: trials that fit are kept.",
        )


def score(plan: Plan) -> list[Scored]:
    """The scores of all trials of a method, of the best epoch's deployed model."""
    needs = METHODS.get(plan.trials[0].job.method).needs
    sets = {name: load_tensors(plan.trials[0].job.pack, name) for name in SETS}
    return [scored(trial, needs, sets) for trial in plan.trials]


def scored(trial: Trial, needs: Needs, sets: dict[str, Tensors]) -> Scored:
    """The scores of one trial; NaN with a reason where its training failed or its logits are not finite."""
    images, error = len(sets[VAL]), trial.error
    if not error:
        try:
            model = load_model(trial.job.folder, trial.job.method, trial.job.options)
            results = {name: accuracy_and_loss(model, tensors, needs) for name, tensors in sets.items()}
        except NotFinite:
            results = dict.fromkeys(sets, (math.nan, math.nan))
        accuracy, loss = results[VAL]
        balanced, _ = results[BALANCED]
        if all(math.isfinite(value) for pair in results.values() for value in pair):
            return Scored(trial.number, trial.strength, accuracy, loss, balanced, images)
        error = "weights or logits of the trained model are not finite"
    return Scored(trial.number, trial.strength, math.nan, math.nan, math.nan, images, error)


def accuracy_and_loss(model: nn.Module, tensors: Tensors, needs: Needs) -> tuple[float, float]:
    """Share of images whose highest logit is their class, and mean cross-entropy, in double precision."""
    logits = all_logits(model, tensors, needs).double()
    right = (logits.argmax(1) == tensors.label).double().mean()
    return right.item(), cross_entropy(logits, tensors.label).item()
