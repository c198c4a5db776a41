"""One seed from start to finished folder, in a process of its own."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from benchmark.api import VARIANTS, Method, Needs, Task
from benchmark.config import parse
from benchmark.data.pack import groups, read_columns
from benchmark.files import atomic_path, write_json
from benchmark.predictions import COLUMNS, Predictions, Tested
from benchmark.provenance import code_hash, package_versions
from benchmark.registry import METHODS
from benchmark.training import checkpoint
from benchmark.training.data import Tensors, all_logits, load_sets, load_tensors
from benchmark.training.device import allow_tf32, fabric_of, precision_of
from benchmark.training.faults import disk_told, memory_told
from benchmark.training.fit import Fit, State
from benchmark.training.job import RECORD, THREADS, Job

WEIGHTS = "weights.safetensors"
LOG = "log.csv"
PREDICTIONS = "predictions.npz"

Report = Callable[[int, int, int, dict[str, float], float], None]
"""``(seed, epochs done, epochs of all phases, last log row, seconds so far)``."""


def make_method(name: str, options: dict[str, Any]) -> Method:
    """The registered method with its checked settings."""
    kind = METHODS.get(name)
    method: Method = kind(parse(kind.Settings, options, f"options of method {name!r}"))
    return method


def limit_threads(threads: int = THREADS) -> None:
    """Threads of this process, and algorithms that give the same bits in every run."""
    torch.set_num_threads(threads)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=True)
    # That switch also fills all new memory, which nothing reads before it is written: a twentieth of a small step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


def run(job: Job, report: Report, kind: type[Fit] = Fit, fabric: Fabric | None = None) -> None:
    """Trains the job's seed, from its checkpoint if there is one, and writes its folder.

    Args:
        job: What is trained.
        report: Told of every epoch.
        kind: The training loop; one for several processes is a subclass.
        fabric: Device and precision; by default the best device of this machine and the job's precision.

    Raises:
        BenchmarkError: On bad settings or data, a loss that is not finite, or too little memory or disk.
    """
    if job.is_in(job.folder):
        return
    with memory_told(f"{job.cell.key} seed {job.seed}", job.training.batch_size):
        _train(job, report, kind, fabric)


def _train(job: Job, report: Report, kind: type[Fit], fabric: Fabric | None) -> None:
    limit_threads()
    allow_tf32(job.training.tf32)
    method = make_method(job.method, job.options)
    fabric = fabric or fabric_of(job.training, method)
    sets = load_sets(job.pack, method.needs, fabric.device)
    task = task_of(sets.train, job.training.backbone)
    fit = kind(method, task, job.training, job.seed, sets, fabric)
    fingerprint = job.fingerprint()
    checkpoint.resume(fit, job.checkpoint, fingerprint)

    def after_epoch(state: State) -> None:
        if fit.writes:
            checkpoint.save(fit, job.checkpoint, fingerprint)
            report(job.seed, state.epoch, fit.ends[-1], state.log[-1], state.seconds)

    state = fit.run(after_epoch)
    if fit.writes:
        fit.plain.load_state_dict(state.best)
        write_result(job, fit, method, task, fingerprint)
        job.checkpoint.unlink(missing_ok=True)


def task_of(train: Tensors, backbone: str) -> Task:
    """Shapes as the training images have them; the classes are those of their labels."""
    _, channels, height, width = train.image.shape
    return Task(backbone, int(train.label.max()) + 1, channels, height, width, len(train))


def write_result(job: Job, fit: Fit, method: Method, task: Task, fingerprint: str) -> None:
    """The finished folder: best weights, log, predictions of every variant, and what made them."""
    state = fit.state
    with disk_told(job.folder), atomic_path(job.folder) as folder:
        folder.mkdir()
        save_file({name: value.contiguous().cpu() for name, value in state.best.items()}, folder / WEIGHTS)
        write_log(folder / LOG, state.log)
        best = state.log[state.best_epoch]
        stored = predictions(job, method.deploy(fit.plain), method.needs, best.get("val_heatmap_loss"))
        stored.write(folder / PREDICTIONS)
        facts = {
            "fingerprint": fingerprint,
            "task": vars(task),
            "seed": job.seed,
            "best_epoch": state.best_epoch,
            "epochs": state.epoch,
            "device": str(fit.fabric.device.type),
            "precision": precision_of(job.training, method),
            "data": job.pack_sha256,
            "code": code_hash(job.method),
            "packages": package_versions(),
        }
        write_json(folder / RECORD, facts)


def write_log(path: Path, log: list[dict[str, float]]) -> None:
    """One row an epoch, in full precision; a loss term that another phase has is left empty."""
    names = list(dict.fromkeys(name for row in log for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"]), "phase": int(row["phase"])} for row in log)


def predictions(job: Job, model: nn.Module, needs: Needs, heatmap_loss: float | None) -> Predictions:
    """Logits of every test variant, with what a statistic needs to know of each of its images."""
    model.eval()
    tested: dict[str, Tested] = {}
    logits: dict[str, NDArray[Any]] = {}
    provenance: dict[str, Any] = {}
    device = next(model.parameters()).device
    for variant in (name for name in VARIANTS if name in groups(job.pack)):
        columns, provenance = read_columns(job.pack, variant, COLUMNS)
        tested[variant] = Tested(**columns)
        logits[variant] = all_logits(model, load_tensors(job.pack, variant, device), needs).cpu().numpy()[None]
    return Predictions(
        seeds=np.array([job.seed]),
        tested=tested,
        logits=logits,
        heatmap_loss=None if heatmap_loss is None else np.array([heatmap_loss]),
        attributes={"strata": str(provenance.get("strata", "")), "data": job.pack_sha256},
    )
