"""A suite of many tasks in one figure: accuracy where the bias misleads, a task a row, a method a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmark.figures.plan import Plan, Subject, absent, counts, told
from benchmark.figures.style import INK, MUTED, PAPER, frame, paper
from benchmark.report.numbers import fraction
from benchmark.report.records import Summary

COLOURS = "cividis"
"""Dark blue to yellow: alike for readers who confuse red and green."""
NAME, TITLE = "overview.svg", "Accuracy on the shift, by task and method"


def table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Accuracy, tasks as rows and methods as columns; NaN where there is no value."""
    methods = list(dict.fromkeys(method for subject in subjects for method in subject.methods))
    values = {
        subject.task.key: {
            method: np.nan if (row := _row(subject, method)) is None else row.value for method in methods
        }
        for subject in subjects
    }
    return pd.DataFrame.from_dict(values, orient="index", columns=methods).astype(float)


def _row(subject: Subject, method: str) -> Summary | None:
    known = method in subject.methods and subject.task.shift
    return subject.row(method, subject.task.shift, "accuracy") if known else None


def plan(subjects: Sequence[Subject]) -> Plan:
    """The overview of a suite."""
    values = table(subjects)
    if values.isna().all(axis=None):
        return absent(NAME, TITLE, "no task has an accuracy on a shift")
    rows = [_row(subject, method) for subject in subjects for method in subject.methods]
    shifts: Mapping[str, None] = dict.fromkeys(subject.task.shift for subject in subjects if subject.task.shift)
    empty = int(values.isna().to_numpy().sum())
    caption = (
        f"Accuracy on {' or '.join(shifts)} on {len(subjects)} tasks, with its 95 % interval over units and seeds "
        f"below: {counts(rows)}. Colours are accuracies, no tests, and tasks on one data set share their test images; "
        "a suite of so many tasks has no figures of single ones." + (f" Empty: no value ({empty})." if empty else "")
    )
    alt = "; ".join(
        f"{subject.task.key}: " + ", ".join(f"{m} {told(_row(subject, m))}" for m in subject.methods)
        for subject in subjects
    )
    return Plan(NAME, TITLE, caption, f"{alt}.", partial(paint, subjects, values))


def paint(subjects: Sequence[Subject], values: pd.DataFrame) -> Figure:
    """A grid of numbers on their colours."""
    texts = [[_text(_row(subject, method)) for method in values.columns] for subject in subjects]
    longest = max(map(len, values.index))
    left, head = 0.25 + 0.072 * longest, 0.45 + 0.066 * max(map(len, values.columns))
    width = max(left + 0.92 * len(values.columns) + 0.9, 5.4)
    figure = paper(width, head + 0.4 * len(values) + 0.35, TITLE)
    axes = frame(figure, left, 0.2, width - left - 0.92 * len(values.columns), head)
    sns.heatmap(
        values,
        ax=axes,
        vmin=0,
        vmax=1,
        cmap=COLOURS,
        annot=np.array(texts),
        fmt="",
        cbar=False,
        linewidths=1.5,
        linecolor="white",
        annot_kws={"fontsize": 7, "linespacing": 1.05},
    )
    for text, value in zip(axes.texts, values.to_numpy().ravel()[~np.isnan(values.to_numpy().ravel())], strict=True):
        text.set_color(_readable(value))
    axes.xaxis.tick_top()
    axes.set_xticks(
        np.arange(len(values.columns)) + 0.5, values.columns, rotation=45, ha="left", rotation_mode="anchor"
    )
    axes.set_yticks(np.arange(len(values)) + 0.5, values.index, rotation=0)
    axes.tick_params(length=0, labelcolor=INK)
    note = "colour: dark blue 0, yellow 1"
    figure.text(1 - 0.1 / width, 0.09 / figure.get_figheight(), note, ha="right", fontsize=7.5, color=MUTED)
    return figure


def _readable(value: float) -> str:
    """Dark or white, whichever stands out more on the colour of a value: WCAG's relative luminance decides."""
    rgb = np.array(colormaps[COLOURS](value)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return INK if linear @ (0.2126, 0.7152, 0.0722) > 0.18 else PAPER


def _text(row: Summary | None) -> str:
    if row is None or row.value is None:
        return ""
    bounds = "" if row.low is None or row.high is None else f"\n[{fraction(row.low)}, {fraction(row.high)}]"
    return fraction(row.value) + bounds
