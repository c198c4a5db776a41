"""Cost against robustness: how much longer each method trains than the reference, and what that buys on the shift."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmark.figures.dots import Dot, draw_dots
from benchmark.figures.plan import INTERVALS, Plan, Subject, absent, counts, estimate, left_out
from benchmark.figures.scatter import ends
from benchmark.figures.style import INK, frame, mark_chance, paper
from benchmark.report.words import REFERENCE

TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000)


def dots(subject: Subject) -> tuple[list[Dot], dict[str, str]]:
    """What is drawn, and why the rest is not."""
    costs = {cost.method: cost for cost in subject.results.costs}
    found, reasons = [], {}
    for method in subject.methods:
        row = subject.row(method, subject.task.shift, "accuracy")
        if method not in costs:
            reasons[method] = "no row in costs.csv"
        elif row is None or row.value is None:
            reasons[method] = f"no accuracy on {subject.task.shift}"
        else:
            cost = costs[method]
            low, high = cost.step_ratio_low, cost.step_ratio_high
            bounds = None if low is None or high is None or method == REFERENCE else (low, high)
            found.append(Dot(method, cost.step_ratio, row.value, bounds, ends(row)))
    return found, reasons


def plan(subject: Subject) -> Plan:
    """The costs of a task's methods."""
    task, shift = subject.task, subject.task.shift
    name, title = f"{task.key}-cost.svg", f"{task.key}: cost of training against accuracy on {shift or 'the shift'}"
    if not shift:
        return absent(name, title, "the task has no variant beside iid")
    if not subject.results.costs:
        return absent(name, title, "the suite has no costs.csv")
    found, reasons = dots(subject)
    if not found:
        return absent(name, title, f"no method has both a cost and an accuracy on {shift}")
    spread = (
        "horizontal bars: 95 % intervals of that median, over rounds on one machine"
        if any(dot.x_ends for dot in found)
        else "costs.csv has no interval of it"
    )
    caption = (
        f"Accuracy on {shift} ({counts(subject.row(dot.method, shift, 'accuracy') for dot in found)}; vertical "
        f"{INTERVALS}) against the time of a training step, divided by that of {REFERENCE} (median over rounds, all "
        f"phases counted; {spread}). Solid line at 1: as costly as {REFERENCE}, which is 1 by definition; a bar across "
        "it: no difference in cost is shown. Dashed: chance. Memory, inference and the drawing of masks are not in the "
        "ratio." + left_out(reasons)
    )
    alt = "; ".join(
        f"{d.method} cost {d.x:.2f}{' [{:.2f}, {:.2f}]'.format(*d.x_ends) if d.x_ends else ''}, "
        f"accuracy {estimate(d.y, *(d.y_ends or (None, None)))}"
        for d in found
    )
    return Plan(name, title, caption, f"{alt}.", partial(paint, subject, found, title))


def paint(subject: Subject, found: list[Dot], title: str) -> Figure:
    """One panel, the reference's cost as a line."""
    width, height = 8.6, 5.4 if len(found) > 14 else 4.2
    figure = paper(width, height, title)
    axes = frame(figure, 0.6, 0.6, 0.15, 0.5)
    costs = np.array([x for dot in found for x in (dot.x, *(dot.x_ends or ()))] + [1.0])
    low, high = costs.min() / 1.15, costs.max() * 1.3
    axes.set_xscale("log")
    axes.set(xlim=(low, high), ylim=(-0.07, 1.07), ylabel=f"accuracy on {subject.task.shift}")
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"training step, divided by {REFERENCE}'s")
    axes.axvline(1, color=INK, linewidth=1.1, zorder=0.8, label=f"cost of {REFERENCE}")
    mark_chance(axes, subject.task.classes)
    draw_dots(axes, found, subject.looks, upright=(1.0,))
    return figure
