"""Forest plot: how much better than the reference each method is where the bias misleads, with its interval.

``difference = accuracy of the method - accuracy of erm`` on the same units, draws and seeds; filled marks have an
adjusted p below 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from benchmark.figures.plan import INTERVALS, Plan, Subject, absent, counts, estimate, left_out
from benchmark.figures.style import INK, MUTED, PAPER, frame, paper
from benchmark.report.headline import LEVEL
from benchmark.report.numbers import probability
from benchmark.report.words import REFERENCE

METRIC = "accuracy"
STEP = 0.25
"""Inches a method."""


@dataclass(frozen=True)
class Difference:
    """A line of the plot; ``p`` is adjusted by Holm, ``None`` where there is none."""

    method: str
    value: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def proven(self) -> bool:
        return self.p is not None and self.p < LEVEL

    def __str__(self) -> str:
        text = estimate(self.value, self.low, self.high, signed=True)
        return f"{text}, " + ("no p" if self.p is None else f"p {probability(self.p).replace('<', '< ')}")


def differences(subject: Subject) -> tuple[list[Difference], dict[str, str]]:
    """What is drawn, the greatest difference first, and why the rest is not."""
    found, reasons = [], {}
    for method in subject.methods:
        row = subject.row(method, subject.task.shift, METRIC)
        if method == REFERENCE:
            continue
        if row is None:
            reasons[method] = "no value"
        elif row.diff is None:
            reasons[method] = f"no difference to {REFERENCE}"
        else:
            found.append(Difference(method, row.diff, row.diff_low, row.diff_high, row.p_holm))
    return sorted(found, key=lambda one: -one.value), reasons


def plan(subject: Subject) -> Plan:
    """The forest plot of a task."""
    task, shift = subject.task, subject.task.shift
    name, title = f"{task.key}-forest.svg", f"{task.key}: accuracy on {shift or 'the shift'} beside {REFERENCE}"
    if not shift:
        return absent(name, title, "the task has no variant beside iid")
    if subject.row(REFERENCE, shift, METRIC) is None:
        return absent(name, title, f"the task has no {METRIC} of {REFERENCE} on {shift}")
    found, reasons = differences(subject)
    if not found:
        return absent(name, title, f"no method has a difference to {REFERENCE}" + left_out(reasons).rstrip("."))
    rows = [subject.row(one.method, shift, METRIC) for one in found]
    family = sum((row := subject.row(m, shift, METRIC)) is not None and row.diff is not None for m in task.methods)
    bare = [one.method for one in found if one.p is None]
    caption = (
        f"Accuracy on {shift} minus that of {REFERENCE}: {counts(rows)}; {INTERVALS}, paired; filled marks have p < "
        f"{LEVEL} after Holm's correction over all {family} methods of the suite, open ones are not told apart from "
        f"{REFERENCE}. Bars are not adjusted, p is. Methods are compared with {REFERENCE} only, not with each other, "
        "and differ in what they see."
        + left_out(reasons)
        + (f" No p, for the difference does not vary: {', '.join(bare)}." if bare else "")
    )
    alt = "; ".join(f"{one.method} {one}" for one in found) + "."
    return Plan(name, title, caption, alt, partial(paint, found, subject, title))


def paint(found: list[Difference], subject: Subject, title: str) -> Figure:
    """A line a method, the greatest difference on top."""
    figure = paper(8.6, 1.25 + STEP * len(found), title)
    axes = frame(figure, 1.75, 0.6, 2.45, 0.5)
    axes.axvline(0, color=INK, linewidth=1, label="no difference")
    for place, one in enumerate(found):
        look, y = subject.looks[one.method], len(found) - 1 - place
        if one.low is not None and one.high is not None:
            axes.plot(
                [one.low, one.high],
                [y, y],
                color=look.colour,
                linewidth=1.6,
                solid_capstyle="butt",
                label=f"{one.method}: interval",
            )
        axes.plot([one.value], [y], **look.marker(7, face=None if one.proven else PAPER), label=one.method, zorder=3)
        axes.text(1.03, y, str(one), transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set_yticks(range(len(found)), [one.method for one in reversed(found)])
    axes.set_ylim(-0.7, len(found) - 0.3)
    edges = [x for one in found for x in (one.value, one.low, one.high, 0.0) if x is not None]
    margin = 0.05 * (max(edges) - min(edges)) or 0.1
    axes.set_xlim(min(edges) - margin, max(edges) + margin)
    axes.set_xlabel(f"accuracy on {subject.task.shift}, minus {REFERENCE}'s")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    note = f"filled: Holm's p < {LEVEL}"
    figure.text(1 - 0.15 / 8.6, 0.14 / figure.get_figheight(), note, ha="right", color=MUTED, fontsize=8)
    return figure
