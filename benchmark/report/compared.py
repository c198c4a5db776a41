"""The tables of comparisons: a method against the reference by several tests, and measures against each other."""

from __future__ import annotations

from benchmark.report.measures import Agreement, Comparison
from benchmark.report.numbers import Entry, estimate, p_entry, probability, single
from benchmark.report.records import Task
from benchmark.report.tables import Head, Row, Table
from benchmark.report.words import REFERENCE, metric_label


def comparison_table(task: Task, comparisons: list[Comparison]) -> Table | None:
    """The primary comparison of a task: all methods by accuracy on its shift."""
    ours = {c.method: c for c in comparisons if f"{c.dataset}-{c.bias}" == task.key and c.primary}
    if not ours:
        return None
    variant = next(iter(ours.values())).variant
    rows = [
        Row(
            (method,),
            [
                estimate(c.diff, c.low, c.high, reason="not compared"),
                _bounds(c.nested_low, c.nested_high),
                p_entry(c.p_holm, "no variance"),
                p_entry(c.p_max_t, "no variance"),
                p_entry(c.p_sign_flip, "no difference"),
                single(c.improvement, reason="no seed"),
                p_entry(c.p_gap_equivalent, "no variance"),
                Entry("; ".join(probability(float(p)) for p in c.p_mcnemar.split("; "))),
            ],
        )
        for method in task.methods
        if (c := ours.get(method)) is not None
    ]
    margin = next(iter(ours.values())).margin
    heads = ["Method", f"Difference to {REFERENCE}", "Nested bootstrap", "p, Holm", "p, max-T", "p, sign flips"]
    heads += ["P(improvement)", f"p, own gap within {margin}", "McNemar's mid-p, seed by seed"]
    table = Table(f"{task.key}-tests", f"Accuracy, {variant}: every test", [Head(text) for text in heads], rows)
    table.notes = [
        "The headline is the difference with Holm's p: both count test units and training seeds. Nested bootstrap: the "
        "same by resampling both. Max-T: adjusted by the largest statistic of the same draws. Sign flips: test units "
        "alone. P(improvement): how often a run of the method beats a run of the reference. Own gap: two one-sided "
        "tests; a small p says that the loss from iid lies within the margin. McNemar: single checkpoints, no claim "
        "about a method.",
    ]
    return table


def _bounds(low: float | None, high: float | None) -> Entry:
    entry = estimate(low, low, high, reason="not defined in enough draws")
    return Entry(entry.interval or entry.text)


def agreement_table(task: Task, agreement: list[Agreement]) -> Table | None:
    """Kendall's rank correlation of the measures over the methods of a task."""
    ours = [a for a in agreement if f"{a.dataset}-{a.bias}" == task.key]
    if not ours:
        return None
    rows: dict[tuple[str, str], dict[str, Entry]] = {}
    groups = list(dict.fromkeys(a.methods for a in ours))
    for a in ours:
        names = (f"{metric_label(a.first)}, {a.first_variant}", f"{metric_label(a.second)}, {a.second_variant}")
        rows.setdefault(names, {})[a.methods] = estimate(a.value, a.low, a.high, reason=a.note or "not defined")
    counts = {name: max(int(a.n_methods or 0) for a in ours if a.methods == name) for name in groups}
    heads = [Head("One measure"), Head("Another")] + [Head(f"{name} ({counts[name]})", "Methods") for name in groups]
    table = Table(
        f"{task.key}-agreement",
        "Do the measures rank the methods alike? Kendall's τ",
        heads,
        [Row(names, [found.get(name, Entry("not compared")) for name in groups]) for names, found in rows.items()],
    )
    table.notes = [
        "Every measure is turned so that more is worse; 1: the same order, 0: none, -1: the reverse. Intervals: 95 % "
        "over test units and seeds. Methods that are trained through an explainer, or blank their input, are left out "
        "of the second column."
    ]
    return table
