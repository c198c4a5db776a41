"""The headline table of a task: one row a method, and what it says in words."""

from __future__ import annotations

from dataclasses import replace

from benchmark.report.access import by_access, peers
from benchmark.report.numbers import MINUS, Entry, estimate, undefined
from benchmark.report.records import Results, Run, Summary, Task
from benchmark.report.tables import NO_ROW, NO_VALUE, Head, Row, Table
from benchmark.report.words import GREY, REFERENCE, UNFIT, metric_words

LEVEL = 0.05
Column = tuple[str | None, str, str, str]
"""Variant, metric, head and the head above."""

COLUMNS: tuple[Column, ...] = (
    ("iid", "background_relevance_mass", "integrated gradients", "Background relevance mass, iid"),
    ("iid", "background_relevance_mass_lrp", "LRP-ε", "Background relevance mass, iid"),
    (None, "heatmap_loss", "heatmap loss", "Validation"),
)
"""Those of every task, after the accuracies."""


def columns(task: Task) -> list[Column]:
    """Accuracy on every variant of the task, one gap, and what the heatmaps say."""
    accuracy: list[Column] = [(variant, "accuracy", variant, "Accuracy") for variant in task.tested]
    if task.shift:
        accuracy.append((task.shift, "accuracy_gap", f"iid {MINUS} {task.shift}", "Accuracy"))
    return [*accuracy, *COLUMNS]


def find(task: Task, method: str, variant: str | None, metric: str) -> Summary | None:
    """The summary row of a method; with ``variant=None`` whatever variant the metric has."""
    if variant is None:
        variant = next((v for m, v, name in task.summary if (m, name) == (method, metric)), "")
    return task.summary.get((method, variant, metric))


def best_method(task: Task, variant: str | None, metric: str, among: list[str] | None = None) -> str | None:
    """The method whose lead the tests support, or ``None``.

    Compared are the methods ``among``, all by default. The reference leads where every other method is worse with an
    adjusted p below 0.05. Another method leads where it is better than the reference with an adjusted p below 0.05 and
    its interval meets no other method's (methods are tested against the reference only). A method never leads by an
    explainer that it is trained through, nor by any where it blanks the background of its input.
    """
    words = metric_words(metric)
    sign = 1.0 if words.higher_is_better else -1.0
    rows = {method: find(task, method, variant, metric) for method in among or task.methods}
    known = {method: row for method, row in rows.items() if row is not None and row.value is not None}
    if REFERENCE not in known or len(known) < 2:
        return None
    top = max(known, key=lambda method: sign * (known[method].value or 0.0))
    run = next(run for run in task.runs if run.cell.method == top)
    if words.explainer is not None and (
        run.trained_through == words.explainer or run.masks_input or (top, words.explainer) in task.unfit
    ):
        return None
    others = {method: row for method, row in known.items() if method != top}
    if top == REFERENCE:
        return top if all(_differs(row, -sign) for row in others.values()) else None
    apart = all(_apart(known[top], row) for method, row in others.items() if method != REFERENCE)
    return top if _differs(known[top], sign) and apart else None


def _differs(row: Summary, sign: float) -> bool:
    return row.diff is not None and row.p_holm is not None and sign * row.diff > 0 and row.p_holm < LEVEL


def _apart(one: Summary, other: Summary) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or one.high < other.low


def _entry(run: Run, task: Task, variant: str | None, metric: str) -> Entry:
    words, method = metric_words(metric), run.cell.method
    row = find(task, method, variant, metric)
    if row is None:
        return undefined(f"{method} has none" if metric == "heatmap_loss" else NO_ROW)
    mark = ""
    if words.explainer is not None:
        mark = "‡" if run.masks_input else "†" if run.trained_through == words.explainer else ""
    unfit = words.explainer is not None and (method, words.explainer) in task.unfit
    entry = estimate(row.value, row.low, row.high, reason=NO_VALUE, bounded=words.bounded, mark=mark + GREY * unfit)
    entry = replace(entry, tone=UNFIT if unfit else "")
    return replace(entry, best=best_method(task, variant, metric, peers(task, run.needs)) == method)


def headline(task: Task, results: Results) -> Table:
    """One row a method, under what it sees: accuracy, gap, relevance on the background, heatmap loss."""
    heads = [Head("Sees beside images and labels"), Head("Method")]
    shown = columns(task)
    heads += [Head(text, group) for _, _, text, group in shown]
    rows = []
    titles = {run.title for run in task.runs}
    for needs, runs in by_access(task):
        for run in runs:
            title = f" ({run.title})" if run.title and len(titles) > 1 else ""
            entries = [_entry(run, task, variant, metric) for variant, metric, _, _ in shown]
            rows.append(Row((needs, run.cell.method + title), entries))
    table = Table(task.key, f"{task.title}: does the classifier read the background?", heads, rows)
    table.notes = _notes(task, results, rows)
    return table


def _notes(task: Task, results: Results, rows: list[Row]) -> list[str]:
    known = [row for (_, _, name), row in task.summary.items() if name.startswith("accuracy")]
    counts = {variant: _range(task, variant, "accuracy") for variant in task.tested}
    units = ", ".join(f"{variant} {text}" for variant, text in counts.items())
    units = next(iter(counts.values())) + " a variant" if len(set(counts.values())) == 1 else units
    seeds = sorted({row.n_seeds for row in known if row.n_seeds is not None})
    if "background_relevance_mass" in task.metrics():
        units += f" (relevance: {_range(task, 'iid', 'background_relevance_mass')})"
    data = ", ".join(sorted({run.data for run in task.runs}))
    code = results.code if "," not in results.code else "of each method: see the table of trainings"
    both = "both the seeds of training and the sample of test units"
    spread = both if seeds and seeds[0] > 1 else "the sample of test units only (one seed: training is not repeated)"
    loss = " (that of the heatmap loss: the seeds only)" if "heatmap_loss" in task.metrics() else ""
    notes = [
        f"Units: {units or 'not counted'}. Seeds: {' or '.join(map(str, seeds)) or 'not counted'} "
        f"({', '.join(map(str, results.seeds))}). Data {data}. Code {code}; version {results.version}.",
        "Each value estimates the expected score of a model that this recipe trains, on new units from the same "
        f"sources as those tested; the 95 % interval [low, high] covers {spread}{loss}.",
        "Accuracy: higher is better. Gap, background relevance mass and heatmap loss: lower is better. "
        f"Knowing nothing gives an accuracy of 1/{task.classes}.",
    ]
    if "external" in task.tested:
        notes.append(
            "External: images from sources that no training image comes from. Its gap compares different images, so "
            "its interval is not paired, and part of it may be that the images there are harder or easier."
        )
    entries = [entry for row in rows for entry in row.entries]
    if any(GREY in entry.mark for entry in entries):
        notes.append(
            f"Grey, {GREY}: the explainer failed a check on this method, so the value decides nothing (below)."
        )
    if any("‡" in entry.mark for entry in entries):
        notes.append("‡ The method blanks the background of its input: a low value is by design and proves nothing.")
    if any("†" in entry.mark for entry in entries):
        notes.append("† The method is trained through this explainer: a low value proves nothing by itself.")
    same = "Methods that see more are listed below those that see less, and compared only with their like. "
    bold = f"Bold: best of those that see the same, with a Holm-adjusted p below {LEVEL} against {REFERENCE} and an "
    notes.append(
        same + bold + "interval apart from those of the others."
        if any(entry.best for entry in entries)
        else f"{same}No value is bold: none is ahead of {REFERENCE} and of its like beyond what the intervals allow."
    )
    notes.append(
        "This does not establish that a method does as well on other images, biases or backbones, that a model is "
        "free of shortcuts inside the mask, or that it is safe for patients."
    )
    return notes


def _range(task: Task, variant: str, metric: str) -> str:
    counts = sorted(
        {
            row.n_units
            for (_, v, name), row in task.summary.items()
            if (v, name) == (variant, metric) and row.n_units is not None
        }
    )
    return " to ".join(map(str, {counts[0]: 0, counts[-1]: 0})) if counts else "not counted"
