"""Reliability diagrams: is a method right as often as it is sure? A panel a method, with the images behind each point.

A point is a bin of confidence that holds images; below the diagonal the method is surer than it is right. The strip
below counts the images of each bin, on a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.figures.plan import Plan, Subject, absent, ends, left_out
from benchmark.figures.style import GRID, MUTED, PAPER, VARIANT_COLOURS, VARIANT_SHAPES, frame, paper
from benchmark.metrics.calibration import BINS
from benchmark.reliability import ReliabilityRow
from benchmark.report.numbers import fraction
from benchmark.tables import read_csv

FILE = "reliability.csv"
FEW = 10
"""Images a seed: of fewer a bin's accuracy says little, so its mark is open."""
WIDTH = 10.4
STRIP = 0.34
"""Inches of the counts."""
Bins = dict[tuple[str, str], list[ReliabilityRow]]
"""By method and variant."""


def read_bins(folder: Path) -> dict[str, Bins]:
    """The bins of every task.

    Raises:
        BenchmarkError: If the file is there and is not what :data:`benchmark.reliability.RELIABILITY_COLUMNS` says.
    """
    found: dict[str, Bins] = {}
    for row in read_csv(folder / FILE, ReliabilityRow) if (folder / FILE).is_file() else []:
        found.setdefault(f"{row.dataset}-{row.bias}", {}).setdefault((row.method, row.variant), []).append(row)
    return found


def plan(subject: Subject, bins: Mapping[str, Bins]) -> Plan:
    """The reliability diagrams of a task: on iid, and where the bias misleads."""
    task = subject.task
    name, title = f"{task.key}-reliability.svg", f"{task.key}: reliability"
    if task.key not in bins:
        return absent(name, title, f"{FILE} has no bin of this task")
    known, variants = bins[task.key], ["iid", *([task.shift] if task.shift else [])]
    shown = [m for m in subject.methods if any((m, v) in known for v in variants)]
    if not shown:
        return absent(name, title, f"{FILE} has no bin of these methods on {' or '.join(variants)}")
    there = [known[m, v] for m in shown for v in variants if (m, v) in known]
    seeds = sorted({bins_[0].n_seeds for bins_ in there})
    images = sorted({round(total(bins_) / bins_[0].n_seeds) for bins_ in there})
    caption = (
        f"Accuracy by confidence on {' and '.join(variants)}, in {BINS} equal bins of the pooled answers of all seeds: "
        f"{ends(images, 'images')}, {ends(seeds, 'seeds')}; open marks hold fewer than {FEW} images a seed; strips "
        "count images of all seeds, on a logarithmic axis; ece: mean of the seeds' own calibration errors. No "
        "intervals are drawn, and what is well calibrated may still read the background."
        + left_out({m: f"no bins in {FILE}" for m in subject.methods if m not in shown})
    )
    alt = "; ".join(f"{m}: " + ", ".join(_told(v, known[m, v]) for v in variants if (m, v) in known) for m in shown)
    return Plan(name, title, caption, f"{alt}.", partial(paint, subject, known, shown, variants, title))


def total(rows: Sequence[ReliabilityRow]) -> int:
    """Images of all bins and seeds."""
    return sum(row.count for row in rows)


def error(rows: Sequence[ReliabilityRow]) -> float:
    """The expected calibration error, mean over seeds."""
    return sum(row.ece_part for row in rows)


def _told(variant: str, rows: Sequence[ReliabilityRow]) -> str:
    top = rows[-1]
    sure = f", {top.count} of {total(rows)} images above {fraction(top.low)} confidence"
    right = "" if math.isnan(top.accuracy) else f", of which {fraction(top.accuracy)} right"
    return f"{variant} ece {fraction(error(rows))}{sure}{right}"


def paint(subject: Subject, known: Bins, shown: Sequence[str], variants: Sequence[str], title: str) -> Figure:
    """Small multiples in rows."""
    columns = min(len(shown), 6 if len(shown) > 12 else 4)
    lines = math.ceil(len(shown) / columns)
    wide = min(2.55, (WIDTH - 0.45) / columns)
    high = wide * 0.86 + STRIP + 0.45
    width, height = max(wide * columns + 0.5, 5.6), high * lines + 0.95
    figure = paper(width, height, title)
    most = max(row.count for m in shown for v in variants for row in known.get((m, v), []))
    for i, method in enumerate(shown):
        column, line = i % columns, i // columns
        left, top = 0.5 + wide * column, 0.45 + high * line
        edge = column == 0, line == lines - 1 or i + columns >= len(shown)
        right = width - left - wide + 0.14
        axes = frame(figure, left, height - top - high + STRIP + 0.07, right, top + 0.36)
        strip = frame(figure, left, height - top - high + 0.02, right, top + high - STRIP)
        _panel(axes, strip, subject, known, method, variants, edge, most)
    marks = [
        Line2D([], [], color=VARIANT_COLOURS[v], marker=VARIANT_SHAPES[v], markersize=5, linewidth=1.2, label=v)
        for v in variants
    ]
    figure.legend(handles=marks, loc="upper right", ncols=len(marks), fontsize=8, borderaxespad=0.4)
    figure.text(0.5, 0.12 / height, "confidence", ha="center", fontsize=8.5)
    figure.text(0.08 / width, 0.5, "accuracy; strips: images", rotation=90, va="center", fontsize=8.5)
    return figure


def _panel(
    axes: Axes,
    strip: Axes,
    subject: Subject,
    known: Bins,
    method: str,
    variants: Sequence[str],
    edge: tuple[bool, bool],
    most: int,
) -> None:
    """A method: the diagram and its counts; ``edge`` says whether the axes at the left and below have numbers."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0, label="diagonal")
    words = []
    for variant in variants:
        rows = known.get((method, variant), [])
        if not rows:
            continue
        colour, full = VARIANT_COLOURS[variant], [row for row in rows if row.count]
        x, y = [row.confidence for row in full], [row.accuracy for row in full]
        axes.plot(x, y, color=colour, linewidth=1, label=f"{method} {variant}", zorder=2, clip_on=False)
        for enough in (True, False):
            some = [row for row in full if (row.count >= FEW * row.n_seeds) == enough]
            axes.plot(
                [row.confidence for row in some],
                [row.accuracy for row in some],
                linestyle="",
                color=colour,
                marker=VARIANT_SHAPES[variant],
                markersize=3.6,
                markerfacecolor=colour if enough else PAPER,
                markeredgewidth=0.9,
                zorder=3,
                clip_on=False,
                label=f"{method} {variant} {'many' if enough else 'few'}",
            )
        words.append(f"{variant} {fraction(error(rows))}")
        strip.stairs(
            [max(row.count, 0.5) for row in rows],
            np.linspace(0, 1, BINS + 1),
            color=colour,
            baseline=0.5,
            linewidth=0.9,
            fill=variant == variants[0],
            alpha=0.35 if variant == variants[0] else 1,
            zorder=2,
            clip_on=False,
            label=f"{method} {variant} counts",
        )
    axes.set_title(method, fontsize=8 if axes.bbox.width > 120 else 7, pad=13, x=0)
    said = f"ece {', '.join(words)}"
    axes.annotate(said, (0, 1), (0, 3.5), "axes fraction", "offset points", fontsize=7, color=MUTED)
    ticks = (0, 0.5, 1)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.04), xticks=ticks, yticks=ticks)
    strip.set_yscale("log")
    strip.set(xlim=(-0.03, 1.03), ylim=(0.5, most * 1.5), xticks=ticks)
    strip.set_yticks([1, 10 ** math.floor(math.log10(max(most, 10)))])
    strip.minorticks_off()
    strip.spines[["left", "bottom"]].set_color(GRID)
    for each, below in ((axes, False), (strip, edge[1])):
        each.tick_params(left=edge[0], labelleft=edge[0], bottom=below, labelbottom=below, labelsize=7, length=2)
        each.grid(visible=True, clip_on=False)
    if edge[0]:
        strip.set_yticklabels([f"{tick:g}" for tick in strip.get_yticks()])
