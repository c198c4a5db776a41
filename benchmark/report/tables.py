"""Tables as data: the HTML page and the Markdown file print the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from itertools import groupby

from benchmark.report.measures import Measure
from benchmark.report.numbers import MINUS, Entry, estimate, p_entry, single, undefined
from benchmark.report.records import Results, Run, Task
from benchmark.report.words import (
    EXPLAINERS,
    GAP,
    METRICS,
    REFERENCE,
    VARIANTS,
    explainer_words,
    in_order,
    listed,
    metric_words,
)

NO_ROW = "summary.csv has no row for it"
NO_VALUE = "no image has a value"


@dataclass(frozen=True)
class Head:
    """Head of a column; neighbours of one ``group`` stand under it."""

    text: str
    group: str = ""


@dataclass(frozen=True)
class Row:
    """One row: its names (row headers), then its entries."""

    names: tuple[str, ...]
    entries: list[Entry]


@dataclass
class Table:
    """A caption, one head a column, rows of as many fields, and notes below."""

    key: str
    caption: str
    heads: list[Head]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    def groups(self) -> list[tuple[str, int]]:
        """Upper heads with the number of columns below each; empty where no head has a group."""
        found = [(name, len(list(same))) for name, same in groupby(self.heads, key=lambda head: head.group)]
        return found if any(name for name, _ in found) else []

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers."""
        offset = len(self.heads) - len(self.rows[0].entries) if self.rows else 0
        return column >= offset and any(row.entries[column - offset].value is not None for row in self.rows)

    def span(self, index: int) -> int:
        """How many rows the first name of row ``index`` stands for; 0 where a row above covers it."""
        if len(self.rows[index].names) == 1:
            return 1
        first = [row.names[0] for row in self.rows]
        if index and first[index - 1] == first[index]:
            return 0
        return len(list(next(groupby(first[index:]))[1]))


def metric_table(task: Task, metric: str) -> Table:
    """One metric in full: every method and variant, its gap to iid, and the difference to the reference."""
    words, rows = metric_words(metric), []
    gap = metric + GAP
    names = [(variant, metric) for variant in in_order(task.variants(metric), VARIANTS)]
    names += [(variant, gap) for variant in in_order(task.variants(gap), VARIANTS)]
    for method in task.methods:
        for variant, name in names:
            row = task.summary.get((method, variant, name))
            label = f"iid {MINUS} {variant}" if name == gap else variant or "all"
            if row is None:
                reason = f"{method} has none" if metric == "heatmap_loss" else NO_ROW
                entries = [undefined(reason)] * 4
            else:
                no_diff = "reference" if method == REFERENCE else "not compared"
                entries = [
                    estimate(row.value, row.low, row.high, reason=NO_VALUE, bounded=words.bounded),
                    estimate(row.diff, row.diff_low, row.diff_high, reason=no_diff, bounded=words.bounded),
                    p_entry(row.p_holm, no_diff if row.diff is None else "not tested"),
                    Entry(str(row.n_units)) if row.n_units else undefined("no test unit"),
                ]
            rows.append(Row((method, label), entries))
    better = "higher" if words.higher_is_better else "lower"
    heads = ["Method", "Variant", "Value", f"Difference to {REFERENCE}", "Holm-adjusted p", "Units"]
    table = Table(f"{task.key}-{metric}", f"{words.label} ({better} is better)", [Head(text) for text in heads], rows)
    through = [run.cell.method for run in task.runs if run.trained_through and run.trained_through == words.explainer]
    if through:
        table.notes.append(
            f"† {', '.join(through)}: trained through this explainer; a low value proves nothing by itself."
        )
    return table


def metric_tables(task: Task, elsewhere: Set[str] = frozenset()) -> list[Table]:
    """All metrics of a task, gaps folded into their metric, but for those that stand in other tables."""
    names = task.metrics() - elsewhere - task.kept
    folded = {name for name in names if name.endswith(GAP) and name.removesuffix(GAP) in names}
    return [metric_table(task, name) for name in in_order(names - folded, METRICS)]


def seed_table(task: Task) -> Table:
    """Accuracy of every seed beside its validation heatmap loss."""
    variants = [name for name in VARIANTS if any(key[2:] == (name, "accuracy") for key in task.scores)]
    loss = {(method, seed): value for (method, seed, _, name), value in task.scores.items() if name == "heatmap_loss"}
    with_loss = task.whole is None or bool(loss)  # a selection may leave it out
    rows = []
    for method in task.methods:
        has_loss = any(key[0] == method for key in loss)
        for seed in task.seeds(method):
            accuracy = [task.scores.get((method, seed, variant, "accuracy")) for variant in variants]
            why = "scores.csv has no value" if has_loss else f"{method} has none"
            entries = [single(value, reason="scores.csv has no value") for value in accuracy]
            if with_loss:
                entries.append(single(loss.get((method, seed)), reason=why, bounded=False))
            rows.append(Row((method, f"seed {seed}"), entries))
    heads = [Head("Method"), Head("Seed"), *(Head(name, "Accuracy") for name in variants)]
    heads += [Head("Validation heatmap loss")] * with_loss
    caption = "Accuracy of every seed" + " beside its heatmap loss" * with_loss
    table = Table(f"{task.key}-seeds", caption, heads, rows)
    if loss and "deceiving" in variants:
        table.notes.append(
            "A low heatmap loss beside a low deceiving accuracy is a hacked objective: the maps that the loss looks at "
            "avoid the background, the decision does not."
        )
    return table


def explainers_of(run: Run, measures: Mapping[str, Measure]) -> list[str]:
    """The explainers whose heatmaps a method's training uses: by ``metrics.csv`` and by what it declares."""
    found = {measure.explainer for measure in measures.values() if measure.trains(run.cell.method)}
    declared = {run.trained_through} if run.trained_through else set()
    return in_order(found | declared, EXPLAINERS)


def training_table(task: Task, measures: Mapping[str, Measure]) -> Table:
    """How every cell was trained."""
    rows = [
        Row(
            (run.cell.method,),
            [
                Entry(run.source or "not given"),
                Entry(run.backbone),
                Entry(f"{run.epochs}; best {', '.join(map(str, run.best_epoch)) or 'not given'}"),
                Entry(run.needs),
                Entry(listed([explainer_words(name) for name in explainers_of(run, measures)]) or "none of them"),
                Entry(run.data),
                Entry(run.code or "not given"),
            ],
        )
        for run in task.runs
    ]
    texts = ("Method", "Source", "Backbone", "Epochs; best a seed, counted from 0", "Sees beside images and labels")
    through = "Trained through, of the explainers scored here"
    heads = [Head(text) for text in (*texts, through, "Data, SHA-256", "Code, SHA-256")]
    note = "Training ends where the budget of epochs ends: a best epoch that is the last one may have improved further."
    return Table(f"{task.key}-training", f"How each method learnt {task.key}", heads, rows, [note])


def package_table(results: Results) -> Table:
    """The installed versions."""
    rows = [Row((name,), [Entry(str(version))]) for name, version in sorted(results.packages.items())]
    return Table("packages", "Installed packages", [Head("Package"), Head("Version")], rows)
