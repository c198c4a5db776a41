"""Bias against generalization: how much each method leans on the background, and what it scores where that misleads.

Left the judge's heatmaps, right behaviour, which asks no explainer.
"""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from benchmark.figures.dots import Dot, draw_dots
from benchmark.figures.plan import INTERVALS, Plan, Subject, absent, counts, estimate, left_out, signs_told
from benchmark.figures.style import frame, mark_chance, paper
from benchmark.report.records import Summary

JUDGE = "integrated_gradients"
MEASURES = {
    "background_relevance_mass": "background relevance mass, integrated gradients, iid",
    "background_swap_flip_rate": "answers flipped by a swapped background, iid",
}
"""Measures of bias on the training's bias, with the words of their axis."""


def ends(row: Summary) -> tuple[float, float] | None:
    """The bounds of a row."""
    return None if row.low is None or row.high is None else (row.low, row.high)


def dots(subject: Subject, metric: str) -> tuple[list[Dot], dict[str, str]]:
    """What is drawn of a measure, and why the rest is not."""
    found, reasons = [], {}
    for method in subject.methods:
        x, y = subject.row(method, "iid", metric), subject.row(method, subject.task.shift, "accuracy")
        if x is None or x.value is None:
            reasons[method] = f"no {metric}"
        elif y is None or y.value is None:
            reasons[method] = f"no accuracy on {subject.task.shift}"
        else:
            sign = subject.sign(method, JUDGE) if metric == "background_relevance_mass" else ""
            found.append(Dot(method, x.value, y.value, ends(x), ends(y), sign))
    return found, reasons


def plan(subject: Subject) -> Plan:
    """The scatter of a task."""
    task, shift = subject.task, subject.task.shift
    name, title = f"{task.key}-scatter.svg", f"{task.key}: bias against generalization"
    if not shift:
        return absent(name, title, "the task has no variant beside iid")
    known = {metric: dots(subject, metric) for metric in MEASURES}
    shown = {metric: found for metric, (found, _) in known.items() if found}
    if not shown:
        return absent(name, title, f"no method has both an accuracy on {shift} and {' or '.join(MEASURES)}")
    sizes = [
        f"{metric} of {counts(subject.row(dot.method, 'iid', metric) for dot in found)}"
        for metric, found in shown.items()
    ]
    accuracy = counts(subject.row(m, shift, "accuracy") for m in subject.methods)
    signs = signs_told(dot.sign for found in shown.values() for dot in found)
    missing = [f" Not drawn: {metric}, which no method has." for metric in MEASURES if metric not in shown]
    caption = (
        f"Accuracy on {shift} ({accuracy}) against {' and '.join(sizes)}; {INTERVALS}; dashed: chance."
        + (f" Open marks decide nothing: {signs}." if signs else "")
        + " That marks lie on a line is no proof that a measure predicts accuracy: methods share data, bias and, "
        "mostly, backbone."
        + "".join(missing)
        + "".join(left_out(reasons) for metric, (_, reasons) in known.items() if metric in shown)
    )
    alt = "; ".join(
        f"{dot.method}{dot.sign} {metric} {estimate(dot.x, *(dot.x_ends or (None, None)))}, accuracy on {shift} "
        f"{estimate(dot.y, *(dot.y_ends or (None, None)))}"
        for metric, found in shown.items()
        for dot in found
    )
    return Plan(name, title, caption, f"{alt}.", partial(paint, subject, shown, title))


def paint(subject: Subject, shown: dict[str, list[Dot]], title: str) -> Figure:
    """A panel a measure."""
    many = max(map(len, shown.values())) > 14
    wide, height = (5.3, 5.6) if many else (5.1, 4.2)
    width = wide * len(shown) + 0.2
    figure = paper(width, height, title)
    for i, (metric, found) in enumerate(shown.items()):
        axes = frame(figure, wide * i + 0.6, 0.6, width - wide * (i + 1) + 0.1, 0.5)
        axes.set(xlim=(-0.06, 1.06), ylim=(-0.07, 1.07), xlabel=MEASURES[metric])
        axes.set_ylabel(f"accuracy on {subject.task.shift}")
        mark_chance(axes, subject.task.classes)
        draw_dots(axes, found, subject.looks)
    return figure
