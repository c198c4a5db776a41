"""The record of a method's trials: one CSV row each, and the same as a table for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.files import write_text
from benchmark.provenance import code_hash
from benchmark.tune.select import Scored
from benchmark.tune.trials import Plan

COLUMNS = (
    *("method", "trial", "settings", "epochs", "seed", "val_accuracy", "val_loss", "balanced_accuracy", "n_val"),
    *("selected", "note", "code", "data"),
)


def write_log(path: Path, plan: Plan, scores: Sequence[Scored], selected: dict[int, str]) -> None:
    """Writes one row a trial, in full precision; a score that is not defined is an empty field."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for trial, score in zip(plan.trials, scores, strict=True):
        row = {
            "method": plan.cell.method,
            "trial": trial.number,
            "settings": json.dumps(trial.values, sort_keys=True),
            "epochs": trial.job.training.epochs,
            "seed": trial.job.seed,
            "val_accuracy": number(score.val_accuracy),
            "val_loss": number(score.val_loss),
            "balanced_accuracy": number(score.balanced_accuracy),
            "n_val": score.n_val,
            "selected": selected.get(trial.number, ""),
            "note": score.error,
            "code": code_hash(trial.job.method)[:12],
            "data": trial.job.pack_sha256[:12],
        }
        writer.writerow(row)
    write_text(path, stream.getvalue())


def number(value: float) -> str:
    """Every digit; nothing for NaN."""
    return "" if math.isnan(value) else repr(value)


def table(plan: Plan, scores: Sequence[Scored], selected: dict[int, str]) -> Iterator[str]:
    """Lines for people."""
    yield f"{plan.cell.key}:"
    yield "  trial  val acc  val loss  balanced  selected    settings"
    for trial, score in zip(plan.trials, scores, strict=True):
        settings = words(trial.values)
        place = selected.get(trial.number, "")
        if score.error:
            yield f"  {trial.number:5}  failed: {score.error} ({settings})"
        else:
            numbers = f"{score.val_accuracy:7.3f}  {score.val_loss:8.4f}  {score.balanced_accuracy:8.3f}"
            yield f"  {trial.number:5}  {numbers}  {place:10}  {settings}"


def words(values: Mapping[str, Any]) -> str:
    """Settings as a person would write them."""
    texts = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    return ", ".join(f"{name.rpartition('.')[2]} {text}" for name, text in texts.items())
