"""Slopes: how the accuracy of each method falls from the training's bias to none, to another's, to other sources.

A panel holds methods that see the same, or few that see other things; the others are grey there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.figures.labels import spread
from benchmark.figures.plan import INTERVALS, Plan, Subject, absent, clip, counts, left_out, told
from benchmark.figures.style import GRID, MUTED, frame, mark_chance, paper
from benchmark.report.access import by_access
from benchmark.report.numbers import fraction
from benchmark.report.words import REFERENCE

MOST, FEW = 9, 3
"""Methods of a panel at most; classes of access with fewer than ``FEW`` share one."""
WIDE, HIGH = 5.1, 3.5
"""Inches of a panel."""
GAP = 11.0
"""Points from one label to the next."""


def panels(subject: Subject, methods: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Title and methods of each panel, from those that see least."""
    classes = [
        (needs, [run.cell.method for run in runs if run.cell.method in methods])
        for needs, runs in by_access(subject.task)
    ]
    found: list[tuple[list[str], list[str], str]] = []
    for needs, names in classes:
        if not names:
            continue
        mixed = found and len(found[-1][1]) < FEW + 1 and len(names) < FEW and len(found[-1][1]) + len(names) <= MOST
        if mixed and (len(found[-1][0]) > 1 or len(found[-1][1]) < FEW):
            found[-1][0].append(needs)
            found[-1][1].extend(names)
        else:
            parts = math.ceil(len(names) / MOST)
            size = math.ceil(len(names) / parts)
            for part in range(parts):
                number = f" ({part + 1} of {parts})" if parts > 1 else ""
                found.append(([needs], names[part * size : (part + 1) * size], number))
    return [(f"sees beside images and labels: {' / '.join(needs)}{number}", names) for needs, names, number in found]


def plan(subject: Subject) -> Plan:
    """The slopes of a task."""
    task, variants = subject.task, subject.task.tested
    name, title = f"{task.key}-slopes.svg", f"{task.key}: accuracy by variant"
    if len(variants) < 2:
        return absent(name, title, "the task has one variant, through which no line goes")
    rows = {(m, v): subject.row(m, v, "accuracy") for m in subject.methods for v in variants}
    shown = [m for m in subject.methods if any(rows[m, v] is not None for v in variants)]
    reasons = {m: "no value" for m in subject.methods if m not in shown}
    if not shown:
        return absent(name, title, "no method has an accuracy")
    other = " Dashed, to external: other images, which may be harder or easier." if "external" in variants else ""
    caption = (
        f"Accuracy on {', '.join(variants)}, a line a method: {counts(rows.values())}; {INTERVALS}, side by side so "
        "that all can be seen; grey: methods of other panels; dashed: chance. Whether two lines differ is not tested."
        + other
        + left_out(reasons)
    )
    alt = "; ".join(f"{m}: " + ", ".join(f"{v} {told(rows[m, v])}" for v in variants) for m in shown) + "."
    return Plan(name, title, caption, alt, partial(paint, subject, shown, title))


def paint(subject: Subject, shown: Sequence[str], title: str) -> Figure:
    """Panels side by side, two in a row."""
    groups = panels(subject, shown)
    columns = min(2, len(groups))
    lines = math.ceil(len(groups) / columns)
    width, height = WIDE * columns + 0.2, HIGH * lines + 0.3
    figure = paper(width, height, title)
    for i, (head, methods) in enumerate(groups):
        left, top = WIDE * (i % columns), 0.3 + HIGH * (i // columns)
        axes = frame(figure, left + 0.55, height - top - HIGH + 0.45, width - left - WIDE + 1.55, top + 0.42)
        axes.set_title(clip(head, 62), fontsize=8, fontweight="normal", color=MUTED, x=-0.08)
        _panel(axes, subject, shown, methods)
    return figure


def _panel(axes: Axes, subject: Subject, shown: Sequence[str], methods: Sequence[str]) -> None:
    variants = subject.task.tested
    front = [m for m in (REFERENCE, *methods) if m in shown]
    front = list(dict.fromkeys(front))
    for method in shown:
        if method not in front:
            values = [subject.value(method, v) for v in variants]
            axes.plot(range(len(variants)), values, color=GRID, linewidth=0.9, zorder=1, label=f"{method}: elsewhere")
    step = min(0.05, 0.4 / max(len(front), 1))
    for i, method in enumerate(front):
        _line(axes, subject, method, (i - (len(front) - 1) / 2) * step)
    axes.set_xlim(-0.3, len(variants) - 0.7)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks(range(len(variants)), variants)
    axes.set_ylabel("accuracy")
    axes.grid(visible=False, axis="x")
    mark_chance(axes, subject.task.classes)
    _names(axes, subject, front)


def _line(axes: Axes, subject: Subject, method: str, aside: float) -> None:
    """The line, its intervals and its marks; a variant without value breaks the line."""
    variants, look = subject.task.tested, subject.looks[method]
    rows = [subject.row(method, v, "accuracy") for v in variants]
    x = [i + aside for i in range(len(variants))]
    y = [subject.value(method, v) for v in variants]
    same = [i for i, v in enumerate(variants) if v != "external"]
    width = 2.0 if method == REFERENCE else 1.4
    axes.plot([x[i] for i in same], [y[i] for i in same], color=look.colour, linewidth=width, label=f"{method}: line")
    if "external" in variants and len(same) < len(variants):
        axes.plot(x[-2:], y[-2:], color=look.colour, linewidth=width, linestyle="--", label=f"{method}: to external")
    for i, row in enumerate(rows):
        if row is not None and row.low is not None and row.high is not None:
            axes.plot(
                [x[i]] * 2,
                [row.low, row.high],
                color=look.colour,
                linewidth=1.1,
                alpha=0.75,
                label=f"{method}: interval",
            )
    axes.plot(x, y, **look.marker(5.5), label=method, zorder=3)


def _names(axes: Axes, subject: Subject, methods: Sequence[str]) -> None:
    """The methods beside the last value that each has, kept apart."""
    variants = subject.task.tested
    last = []
    for method in methods:
        known = [i for i, v in enumerate(variants) if not math.isnan(subject.value(method, v))]
        last.append((method, known[-1], subject.value(method, variants[known[-1]])))
    unit = axes.bbox.height / 1.06
    places = spread(np.array([value for _, _, value in last]), GAP / unit, 0.0, 1.0)
    edge = len(variants) - 0.7
    for (method, at, value), y in zip(last, places.tolist(), strict=True):
        look = subject.looks[method]
        axes.plot(
            [at + 0.24 if at < len(variants) - 1 else edge, edge + 0.06 * len(variants) / 3],
            [value, y],
            color=look.colour,
            linewidth=0.6,
            clip_on=False,
            label=f"{method}: leader",
        )
        axes.text(
            edge + 0.08 * len(variants) / 3,
            y,
            f"{method} {fraction(value)}",
            color=look.colour,
            fontsize=7.5,
            va="center",
            fontweight="bold" if method == REFERENCE else "normal",
        )
