"""The headline table of a task: one row a method, and what it says in words."""

from __future__ import annotations

from dataclasses import replace

from benchmark.report.access import by_access, peers
from benchmark.report.costs import cost_entries, cost_heads
from benchmark.report.numbers import MINUS, Entry, estimate, undefined
from benchmark.report.records import Results, Run, Summary, Task
from benchmark.report.select import told
from benchmark.report.tables import NO_ROW, NO_VALUE, Head, Row, Table
from benchmark.report.words import GREY, REFERENCE, UNFIT, metric_words

LEVEL = 0.05
TIE = "="
"""Sign of a value that shares the best place."""
SIGNS = {
    "‡": "‡ The method blanks the background of its input: a low value is by design and proves nothing",
    "†": "† The method is trained through this explainer: a low value proves nothing by itself",
    GREY: f"{GREY}: the explainer failed a check on this method, so the value decides nothing",
    TIE: f"{TIE} A tie: not shown to differ from the best of those that see the same, which shows no equality",
}
"""What the sign of a field says, in words."""
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
    return [*accuracy, *(one for one in COLUMNS if task.whole is None or one[1] in task.metrics())]


def find(task: Task, method: str, variant: str | None, metric: str) -> Summary | None:
    """The summary row of a method; with ``variant=None`` whatever variant the metric has."""
    if variant is None:
        variant = next((v for v in sorted(task.variants(metric)) if (method, v, metric) in task.summary), "")
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
    known = _known(task, variant, metric, among)
    if REFERENCE not in known or len(known) < 2:
        return None
    top = max(known, key=lambda method: sign * (known[method].value or 0.0))
    if not _may_lead(task, top, words.explainer):
        return None
    others = {method: row for method, row in known.items() if method != top}
    if top == REFERENCE:
        return top if all(differs(row, -sign) for row in others.values()) else None
    alone = all(apart(known[top], row) for method, row in others.items() if method != REFERENCE)
    return top if differs(known[top], sign) and alone else None


def tied(task: Task, variant: str | None, metric: str, among: list[str] | None = None) -> set[str]:
    """The methods that share the best place as far as the tests can tell; empty where one leads, or none may.

    The best, and all that are not shown to differ from it: by the paired test where one of the two is the reference,
    else by intervals that lie apart, as :func:`best_method` has it. A tie does not show that methods are equal.
    """
    if best_method(task, variant, metric, among) is not None:
        return set()
    words = metric_words(metric)
    sign = 1.0 if words.higher_is_better else -1.0
    known = _known(task, variant, metric, among)
    known = {method: row for method, row in known.items() if _may_lead(task, method, words.explainer)}
    if REFERENCE not in known:
        return set()
    top = max(known, key=lambda method: sign * (known[method].value or 0.0))
    same = {method for method, row in known.items() if method == top or not _shown(known[top], row, top, method, sign)}
    return same if len(same) > 1 else set()


def _known(task: Task, variant: str | None, metric: str, among: list[str] | None) -> dict[str, Summary]:
    rows = {method: find(task, method, variant, metric) for method in among or task.methods}
    return {method: row for method, row in rows.items() if row is not None and row.value is not None}


def _may_lead(task: Task, method: str, explainer: str | None) -> bool:
    """Not by an explainer that it is trained through, that failed a check on it, or that its blank input fools."""
    if explainer is None:
        return True
    run = next(run for run in task.runs if run.cell.method == method)
    return run.trained_through != explainer and not run.masks_input and (method, explainer) not in task.unfit


def _shown(best: Summary, row: Summary, top: str, method: str, sign: float) -> bool:
    """Whether the best is shown to be better than another."""
    if top == REFERENCE:
        return differs(row, -sign)
    return differs(best, sign) if method == REFERENCE else apart(best, row)


def differs(row: Summary, sign: float) -> bool:
    """Whether the difference to the reference is shown to have a sign: Holm-adjusted p below the level."""
    return row.diff is not None and row.p_holm is not None and sign * row.diff > 0 and row.p_holm < LEVEL


def apart(one: Summary, other: Summary) -> bool:
    """Whether two intervals do not meet; one that is missing meets any."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or one.high < other.low


def field(run: Run, task: Task, variant: str | None, metric: str) -> Entry:
    """The field of a method in the headline table, with its signs."""
    words, method = metric_words(metric), run.cell.method
    row = find(task, method, variant, metric)
    if row is None:
        none = Entry("none", reason=f"{method} has none")  # short, for the table is wide: the page has the reason
        return none if metric == "heatmap_loss" else undefined(NO_ROW)
    mark = ""
    if words.explainer is not None:
        mark = "‡" if run.masks_input else "†" if run.trained_through == words.explainer else ""
    unfit = words.explainer is not None and (method, words.explainer) in task.unfit
    entry = estimate(row.value, row.low, row.high, reason=NO_VALUE, bounded=words.bounded, mark=mark + GREY * unfit)
    entry = replace(entry, tone=UNFIT if unfit else "")
    if is_tied(task, run, variant, metric):
        entry = replace(entry, mark=entry.mark + TIE)
    return replace(entry, best=is_best(task, run, variant, metric))


def is_best(task: Task, run: Run, variant: str | None, metric: str) -> bool:
    """Whether a method is best of those that see the same: of all of them, also where a part is shown."""
    whole = task.whole or task
    return best_method(whole, variant, metric, peers(whole, run.needs)) == run.cell.method


def is_tied(task: Task, run: Run, variant: str | None, metric: str) -> bool:
    """Whether a method shares the best place of those that see the same: of all of them, also where a part is shown."""
    whole = task.whole or task
    return run.cell.method in tied(whole, variant, metric, peers(whole, run.needs))


def headline(task: Task, results: Results) -> Table:
    """One row a method, under what it sees: accuracy, gap, relevance on the background, heatmap loss."""
    heads = [Head("Sees beside images and labels"), Head("Method")]
    there = columns(task)
    heads += [Head(text, group) for _, _, text, group in there]
    heads += cost_heads(results)
    rows = []
    titles = {run.title for run in task.runs}
    for needs, runs in by_access(task):
        for run in runs:
            title = f" ({run.title})" if run.title and len(titles) > 1 else ""
            entries = [field(run, task, variant, metric) for variant, metric, _, _ in there]
            entries += cost_entries(results, run.cell.method)
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
        f"({', '.join(map(str, results.seeds))}). Data {data}. Code {code}; version {results.version}. "
        "Unit: what is independent, the patient where one is named, else the image.",
        "Each value estimates the expected score of a model that this recipe trains, on new units from the same "
        f"sources as those tested; the 95 % interval [low, high] covers {spread}{loss}, and is cut "
        "at the ends of the range.",
        "Accuracy: higher is better. Gap, background relevance mass and heatmap loss: lower is better. "
        f"Chance gives an accuracy of 1/{task.classes}.",
    ]
    if "external" in task.tested:
        notes.append(
            "External: images from sources that no training image comes from. Its gap compares different images, so "
            "its interval is not paired, and part of it may be that the images there are harder or easier."
        )
    entries = [entry for row in rows for entry in row.entries]
    if any(GREY in entry.mark for entry in entries):
        notes.append(f"Grey, {SIGNS[GREY]} (below).")
    if any("‡" in entry.mark for entry in entries):
        notes.append(f"{SIGNS['‡']}.")
    if any("†" in entry.mark for entry in entries):
        notes.append(f"{SIGNS['†']}.")
    same = "Methods that see more are listed below those that see less, and compared only with their like. "
    bold = f"Bold: best of those that see the same, with a Holm-adjusted p below {LEVEL} against {REFERENCE} and an "
    ranked = task.shift and REFERENCE in (task.whole or task).methods
    above = f" (who is ahead of {REFERENCE} is told in words, above the table)" if ranked else ""
    notes.append(
        same + bold + "interval apart from those of the others."
        if any(entry.best for entry in entries)
        else f"{same}No value is bold: no method is ahead of all its like{above}."
    )
    if selection := told(task):
        notes.append(selection)
    if any(TIE in entry.mark for entry in entries):
        notes.append(
            f"{TIE} A tie: of those that see the same and {REFERENCE}, the best, and each that is not shown to differ "
            f"from it (to or from {REFERENCE} by the paired test, else by intervals that meet). It shows no equality."
        )
    if results.costs:
        notes.append("Cost: timed in one run on one CPU thread. All of it stands in the table of costs.")
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
