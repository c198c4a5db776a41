"""Which figures a suite has, and how they come into ``figures/`` with their captions.

A suite of few tasks has six figures a task, one of many an overview. A figure that cannot be drawn has no file, but
keeps its entry in ``captions.json``, which says why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import raise_unknown
from benchmark.figures import cost, forest, heatmaps, overview, reliability, scatter, slopes
from benchmark.figures.plan import Plan, Subject
from benchmark.figures.save import save_png, save_svg
from benchmark.figures.style import looks
from benchmark.files import read_json, write_json
from benchmark.report.load import load

MANY = 6
"""From so many tasks on a suite has one overview and no figures of single tasks."""
FOLDER, CAPTIONS = "figures", "captions.json"


def plans(folder: Path, methods: Sequence[str] | None = None) -> list[Plan]:
    """All figures of a results folder, not painted yet.

    Args:
        folder: Of a suite, under ``results/``.
        methods: Those that are shown, all by default; differences are still to the reference, and adjusted p-values
            those of all methods.

    Raises:
        BenchmarkError: If the folder is not what :func:`benchmark.report.load.load` expects, a method is unknown, or
            a gallery or ``reliability.csv`` is broken.
    """
    results = load(folder)
    known = list(dict.fromkeys(method for task in results.tasks for method in task.methods))
    for name in methods or ():
        if name not in known:
            raise_unknown("method of the suite", name, known)
    shared = looks(known)
    subjects = [
        Subject(results, task, tuple(m for m in task.methods if methods is None or m in methods), shared)
        for task in results.tasks
    ]
    if len(subjects) >= MANY:
        return [overview.plan(subjects)]
    bins = reliability.read_bins(folder) if subjects else {}
    return [
        plan
        for subject in subjects
        for plan in (
            forest.plan(subject),
            slopes.plan(subject),
            scatter.plan(subject),
            cost.plan(subject),
            reliability.plan(subject, bins),
            heatmaps.plan(subject),
        )
    ]


def captions(folder: Path, methods: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Title, caption and alternative text of every figure by the name of its file; as :func:`plans`.

    A figure that is not drawn has a caption that says why, and an empty alternative text.
    """
    return {plan.name: plan.words() for plan in plans(folder, methods)}


def draw_all(folder: Path, out: Path | None = None, methods: Sequence[str] | None = None) -> list[Path]:
    """Draws the figures of a results folder into its ``figures/``, or that of ``out``; equal input gives equal bytes.

    A figure of an earlier call that is no longer drawn is deleted.

    Args:
        folder: Of a suite, under ``results/``.
        out: Where ``figures/`` lies instead.
        methods: Those that are shown, all by default.

    Returns:
        The files written, ``figures/captions.json`` the last.

    Raises:
        BenchmarkError: As :func:`plans`.
    """
    folder = Path(folder)
    target = (folder if out is None else Path(out)) / FOLDER
    planned = plans(folder, methods)
    drawn = [plan for plan in planned if plan.paint is not None]
    for plan in drawn:
        path = target / plan.name
        if path.suffix == ".png":
            save_png(plan.figure(), path, heatmaps.RESOLUTION)
        else:
            save_svg(plan.figure(), path, plan.title)
    for name in _earlier(target / CAPTIONS) - {plan.name for plan in drawn}:
        (target / name).unlink(missing_ok=True)
    write_json(target / CAPTIONS, {plan.name: plan.words() for plan in planned})
    return [target / plan.name for plan in drawn] + [target / CAPTIONS]


def _earlier(path: Path) -> set[str]:
    """The figures that an earlier call told of."""
    try:
        told = read_json(path)
    except (FileNotFoundError, json.JSONDecodeError):
        return set()
    return {name for name in told if Path(name).name == name} if isinstance(told, dict) else set()
