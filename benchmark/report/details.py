"""What lies behind a number of the headline table, as JSON that the page holds once and its script prints.

By task and method: for each column the value, its difference to the reference and every seed's value; how each seed was
trained; and its losses epoch by epoch. Numbers that are read are text, as the tables print them; curves are numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.files import read_json
from benchmark.made import NO_RECORD
from benchmark.report.headline import SIGNS, columns, field, find
from benchmark.report.numbers import estimate, p_entry, single
from benchmark.report.records import Results, Run, Task
from benchmark.report.tables import NO_ROW, NO_VALUE
from benchmark.report.tidy import read
from benchmark.report.words import REFERENCE, metric_words

DIGITS = 4
"""Significant digits of a point of a curve: finer than a small plot shows."""

NO_TRAINING = "No curve: training.csv, which the stage report writes, has no row of it."


@dataclass(frozen=True)
class Logged:
    """A row of ``runs.csv``: one training. A table of before tells no commit and no time."""

    dataset: str
    bias: str
    method: str
    seed: float | None
    device: str
    epochs: float | None
    best_epoch: float | None
    data: str
    code: str
    commit: str = ""
    trained: str = ""
    seconds: float | None = None
    why: str = NO_RECORD


@dataclass(frozen=True)
class Point:
    """A row of ``training.csv``: a quantity after an epoch."""

    dataset: str
    bias: str
    method: str
    seed: float | None
    epoch: float | None
    phase: str
    quantity: str
    value: float | None


Logs = Mapping[tuple[str, str], list[Any]]
"""Rows by task and method."""


def details(results: Results) -> dict[str, Any]:
    """All that the script shows of any number of any headline table.

    Raises:
        BenchmarkError: If ``runs.csv`` or ``training.csv`` is there and broken.
    """
    runs = _by_cell(results.folder / "runs.csv", Logged)
    points = _by_cell(results.folder / "training.csv", Point)
    facts = _facts(results.folder)
    return {
        "reference": REFERENCE,
        "tasks": {task.key: _task(results, task, runs, points, facts) for task in results.tasks},
    }


def as_script(value: Mapping[str, Any]) -> str:
    """Compact JSON that cannot end the element of the page that holds it: no ``<`` is left in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _by_cell(path: Path, kind: type[Any]) -> Logs:
    found: dict[tuple[str, str], list[Any]] = {}
    for row in read(path, kind):
        found.setdefault((f"{row.dataset}-{row.bias}", row.method), []).append(row)
    return found


def _facts(folder: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What ``suite.json`` tells of each cell, whole: the records keep what the tables print."""
    path = folder / "suite.json"
    cells = read_json(path)["cells"] if path.is_file() else []
    return {(f"{cell['dataset']}-{cell['bias']}", cell["method"]): cell for cell in cells}


def _task(results: Results, task: Task, runs: Logs, points: Logs, facts: Mapping[Any, Any]) -> dict[str, Any]:
    methods, there = {}, columns(task)
    for run in task.runs:
        key = (task.key, run.cell.method)
        seeds = task.seeds(run.cell.method)
        logged = {int(row.seed): row for row in runs.get(key, []) if row.seed is not None}
        methods[run.cell.method] = {
            "cells": [_cell(task, run, seeds, variant, metric) for variant, metric, _, _ in there],
            "seeds": [_seed(results, run, seed, logged.get(seed)) for seed in seeds],
            "facts": _provenance(results, run, facts.get(key, {})),
            "curves": curves(points.get(key, [])),
            "why": NO_TRAINING,
        }
    heads = [", ".join(filter(None, (group, text))) for _, _, text, group in there]
    return {"columns": heads, "methods": methods}


def _cell(task: Task, run: Run, seeds: list[int], variant: str | None, metric: str) -> list[Any] | None:
    """Value, difference, p, units, seeds, the value of every seed, signs in words; ``None`` without a number."""
    method = run.cell.method
    signs = [f"{SIGNS[sign]}." for sign in field(run, task, variant, metric).mark]
    row, bounded = find(task, method, variant, metric), metric_words(metric).bounded
    if row is None or row.value is None:
        return None
    variant = variant or next(v for m, v, name in task.summary if (m, name) == (method, metric))
    none = "the reference itself" if method == REFERENCE else "not compared"
    told = [
        estimate(row.value, row.low, row.high, reason=NO_VALUE, bounded=bounded),
        estimate(row.diff, row.diff_low, row.diff_high, reason=none, bounded=bounded),
        p_entry(row.p_holm, none if row.diff is None else "no variance to test by"),
    ]
    texts = [f"{entry.text} {entry.interval}".strip() for entry in told]
    values = [task.scores.get((method, seed, variant, metric)) for seed in seeds]
    counts = [str(row.n_units or "no test unit"), str(row.n_seeds or "not counted")]
    return [*texts, *counts, [single(value, reason=NO_ROW, bounded=bounded).text for value in values], signs]


def _seed(results: Results, run: Run, seed: int, logged: Logged | None) -> list[str]:
    """Seed, device, epochs, best epoch, and what made it: begin, seconds, commit."""
    if logged is None:
        best = dict(zip(results.seeds, run.best_epoch, strict=False)).get(seed)
        return [
            str(seed),
            "not recorded",
            str(run.epochs),
            "not recorded" if best is None else str(best),
            *[NO_RECORD] * 3,
        ]
    numbers = ("not recorded" if n is None else f"{n:.0f}" for n in (logged.epochs, logged.best_epoch))
    return [str(seed), logged.device or "not recorded", *numbers, *_made(logged)]


def _made(logged: Logged) -> list[str]:
    """Begin (UTC), seconds and commit, each with the reason where it is empty."""
    why = logged.why or "not recorded"
    begin = logged.trained[:16].replace("T", " ")
    commit, dash, changed = logged.commit.partition("-")
    seconds = why if logged.seconds is None else f"{logged.seconds:.0f}"
    return [begin or why, seconds, f"{commit[:12]}{dash}{changed}" or why]


def _provenance(results: Results, run: Run, fact: Mapping[str, Any]) -> list[tuple[str, str]]:
    packages = fact.get("packages") or results.packages
    device = fact.get("device")
    seconds = next((cost.train_seconds for cost in results.costs if cost.method == run.cell.method), None)
    return [
        ("Suite and version", f"{results.suite}, {results.version}"),
        ("Last commit of its predictions", results.commits.get(run.cell.key, "not shown in this page")),
        ("Data, SHA-256", run.data),
        ("Code, SHA-256", run.code or results.code),
        ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(packages.items())) or "not recorded"),
        ("Device", ", ".join(device) if isinstance(device, list) and device else "not recorded"),
        ("Training of a seed", "not measured" if seconds is None else f"{seconds:.0f} s, as the costs say"),
        ("Backbone", run.backbone),
        ("Sees beside images and labels", run.needs),
        ("Source", run.source or "not given"),
    ]


def curves(points: list[Point]) -> list[dict[str, Any]]:
    """Training logs as curves: one a quantity, with lines for ``train`` and ``val``, each by seed.

    A line is ``[[x, value], ...]`` with ``x`` the epoch from 0, over all phases; what is not defined is left
    out, so a line may have gaps.
    """
    steps: dict[int, dict[tuple[str, float], int]] = {}
    for point in points:
        if point.seed is not None and point.epoch is not None:
            steps.setdefault(int(point.seed), {})[point.phase, point.epoch] = 0
    for seed, found in steps.items():
        order = sorted(found, key=lambda step: (len(step[0]), step))  # phase 10 comes after phase 9
        steps[seed] = {step: place for place, step in enumerate(order)}
    lines: dict[str, dict[str, dict[int, list[list[float]]]]] = {}
    for point in points:
        if point.seed is None or point.epoch is None or point.value is None:
            continue
        part, name = _split(point.quantity)
        seed = int(point.seed)
        line = lines.setdefault(name, {}).setdefault(part, {}).setdefault(seed, [])
        line.append([steps[seed][point.phase, point.epoch], float(f"{point.value:.{DIGITS}g}")])
    return [
        {
            "name": name,
            "lines": {
                part: {str(seed): sorted(line) for seed, line in sorted(seeds.items())}
                for part, seeds in sorted(parts.items())
            },
        }
        for name, parts in lines.items()
    ]


def _split(quantity: str) -> tuple[str, str]:
    """``train_heatmap_loss`` as ``train`` and ``heatmap loss``."""
    part, _, name = quantity.partition("_")
    return (part, name.replace("_", " ")) if part in ("train", "val") and name else ("", quantity.replace("_", " "))
