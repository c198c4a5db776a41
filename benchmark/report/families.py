"""The tables of the families beside generalization: groups, heatmaps, behaviour, and the guards of the explainers.

One row a method, one column a metric; what they mean stands in ``metrics.csv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.report.measures import Measure
from benchmark.report.numbers import Entry, estimate, fraction, undefined
from benchmark.report.records import Run, Summary, Task
from benchmark.report.tables import NO_ROW, NO_VALUE, Head, Row, Table
from benchmark.report.words import EXPLAINERS, GREY, LABELS, SIMPLE, UNFIT, explainer_words, metric_label

MASS = "background_relevance_mass"
GROUPS = "iid+deceiving"
JUDGE = "integrated_gradients"
EXACT = (JUDGE, "lrp_epsilon")
"""Explainers that give a pixel none where the model does not depend on it."""
Measures = dict[str, Measure]


def family_tables(task: Task, measures: Measures) -> dict[str, list[Table]]:
    """Title of a chapter to its tables; only what the task has."""
    maps = [variant for variant in task.tested if variant not in without_background(task)]
    chapters = {
        "Groups": [group_table(task, measures)],
        "Where the relevance lies": [mass_table(task, measures), *(maps_table(task, measures, v) for v in maps)],
        "What the model does": [behaviour_table(task, measures)],
        "Can the explainers be trusted?": [
            guard_table(task, measures, name) for name in ("faithfulness", "randomisation")
        ],
    }
    kept = {title: [table for table in tables if table is not None] for title, tables in chapters.items()}
    return {title: tables for title, tables in kept.items() if tables}


def grid(
    task: Task, key: str, caption: str, columns: Sequence[tuple[str, str, str, str]], measures: Measures
) -> Table | None:
    """A table of the given columns (variant, metric, head, upper head) that the task has; ``None`` without any."""
    there = [column for column in columns if any((method, *column[:2]) in task.summary for method in task.methods)]
    if not there:
        return None
    heads = [Head("Method")] + [Head(f"{text} {_arrow(measures, name)}".strip(), top) for _, name, text, top in there]
    rows = [
        Row((run.cell.method,), [_entry(task, run, v, name, measures) for v, name, _, _ in there]) for run in task.runs
    ]
    return Table(f"{task.key}-{key}", caption, heads, rows, [units(task, there)])


def units(task: Task, columns: Sequence[tuple[str, str, str, str]]) -> str:
    """On how many test units the columns rest, those that most of them have first."""
    counts: dict[str, dict[str, list[str]]] = {}
    for variant, name, text, top in columns:
        known = {row.n_units for (_, v, n), row in task.summary.items() if (v, n) == (variant, name) and row.n_units}
        told = f"{min(known)} to {max(known)}" if len(known) > 1 else str(*known) if known else "none"
        counts.setdefault(told, {}).setdefault(text, []).append(top)
    most = max(counts, key=lambda told: sum(map(len, counts[told].values())))
    others = [f"{together(heads)}: {told}" for told, heads in counts.items() if told != most]
    return f"Test units: {'; '.join([most, *others])}."


def together(heads: dict[str, list[str]]) -> str:
    """Heads with the upper heads that they stand under: ``Grad-CAM, occlusion (iid, ood)``."""
    under: dict[str, list[str]] = {}
    for text, tops in heads.items():
        under.setdefault(", ".join(filter(None, dict.fromkeys(tops))), []).append(text)
    return "; ".join(f"{', '.join(texts)}{f' ({tops})' if tops else ''}" for tops, texts in under.items())


def _entry(task: Task, run: Run, variant: str, name: str, measures: Measures) -> Entry:
    row, measure = task.summary.get((run.cell.method, variant, name)), measures.get(name)
    explainer = measure.explainer if measure else ""
    if row is None or row.value is None:
        return undefined(absent(run, name, explainer, row))
    mark = signs(task, run, measure)
    entry = estimate(row.value, row.low, row.high, reason=NO_VALUE, mark=mark)
    return replace(entry, tone=UNFIT if GREY in mark else "")


def absent(run: Run, metric: str, explainer: str, row: Summary | None) -> str:
    """Why a method has no value of a metric: the first sentence, for all of it stands in the cell's facts."""
    if row is None and metric == "heatmap_loss":
        return f"{run.cell.method} has none"
    return run.not_defined.get(explainer, NO_ROW if row is None else NO_VALUE).partition(". ")[0]


def signs(task: Task, run: Run, measure: Measure | None) -> str:
    """The footnote signs of a heatmap score: by design or trained through it, and grey."""
    if measure is None or measure.family != "attribution":
        return ""
    through = bool(measure.explainer) and run.trained_through == measure.explainer
    mark = "‡" if run.masks_input else "†" if through or measure.trains(run.cell.method) else ""
    return mark + (GREY if _unfit(task, run.cell.method, measure.explainer) else "")


def _arrow(measures: Measures, name: str) -> str:
    measure = measures.get(name)
    return "" if measure is None else "↑" if measure.higher_is_better else "↓"


def _unfit(task: Task, method: str, explainer: str) -> str:
    """Why the heatmaps of an explainer decide nothing for a method; empty if they may be used."""
    return "" if explainer in SIMPLE else task.unfit.get((method, explainer), "")


def sentence(explainer: str) -> str:
    """The name of an explainer at the beginning of a sentence."""
    words = explainer_words(explainer)
    return words[0].upper() + words[1:]


def ordered(measures: Iterable[Measure]) -> list[Measure]:
    """In the order of the words of the report, those that it does not know last."""
    places = {name: place for place, name in enumerate(LABELS)}
    return sorted(measures, key=lambda measure: places.get(measure.metric, len(places)))


def unfit_notes(task: Task, explainers: Sequence[str]) -> list[str]:
    """Which methods each explainer is unfit for, and why: a line an explainer."""
    notes: list[str] = []
    for explainer in explainers:
        found = [
            f"{run.cell.method}: {reason}"
            for run in task.runs
            if explainer not in run.not_defined and (reason := _unfit(task, run.cell.method, explainer))
        ]
        if found:
            notes.append(
                f"{GREY} {explainer_words(explainer)[0].upper()}{explainer_words(explainer)[1:]}. {'; '.join(found)}."
            )
    return notes


def footnotes(task: Task, shown: Sequence[Measure]) -> list[str]:
    """The meaning of the signs that a table of heatmap scores may hold."""
    explainers = list(dict.fromkeys(measure.explainer for measure in shown))
    notes = []
    if any(run.masks_input for run in task.runs):
        spread = "; explainers with coarse maps, or that compare with grey or other images, can still spread theirs"
        notes.append(
            "‡ By design: the method blanks the background of its input, so no relevance by gradients times input or "
            f"by LRP can lie there{spread if set(explainers) - {*EXACT, *SIMPLE} else ''}. Its behaviour below is what "
            "judges it, where masks at test are predicted ones."
        )
    trained = (measure.trains(run.cell.method) for run in task.runs for measure in shown)
    if any(run.trained_through in explainers for run in task.runs) or any(trained):
        notes.append("† Its training uses heatmaps of this kind: a low value proves nothing by itself.")
    unfit = unfit_notes(task, explainers)
    if unfit:
        notes.append(f"Grey, {GREY}: the explainer failed a check on this method, so the value decides nothing.")
    return [*notes, *unfit]


def by_explainer(measures: Iterable[Measure]) -> list[Measure]:
    """In the order of the explainers."""
    places = {name: place for place, name in enumerate(EXPLAINERS)}
    return sorted(measures, key=lambda measure: places.get(measure.explainer, len(places)))


def mass_table(task: Task, measures: Measures) -> Table | None:
    """The background's share of |relevance| by every explainer."""
    names = by_explainer(m for m in measures.values() if m.base == MASS and not m.metric.endswith("_if_correct"))
    shown = [m for m in names if m.explainer not in SIMPLE]
    columns = [
        (variant, m.metric, explainer_words(m.explainer), f"{variant}") for variant in task.tested for m in shown
    ]
    table = grid(task, "mass", "Background relevance mass by every explainer", columns, measures)
    if table is None:
        return None
    table.notes += footnotes(task, shown)
    for variant in without_background(task):
        table.notes.append(
            f"On {variant} the background is black, as the baseline of {explainer_words(JUDGE)} is: every method has 0 "
            f"there by definition, so the table of all metrics of its heatmaps, {variant}, is left out."
        )
    for m in names:
        row = next((r for (_, v, name), r in task.summary.items() if (v, name) == ("iid", m.metric)), None)
        if m.explainer in SIMPLE and row is not None and row.value is not None:
            table.notes.append(f"{sentence(m.explainer)}, which looks at no model: {fraction(row.value)}.")
    return table


def without_background(task: Task) -> list[str]:
    """The variants whose background is the judge's baseline: no method has any relevance there, in no image.

    It is read off the values of the whole task: all are 0, and not only of methods that blank the background.
    """
    whole, found = task.whole or task, []
    for variant in task.tested if MASS in task.metrics() else []:
        rows: dict[bool, list[float]] = {run.masks_input: [] for run in whole.runs}
        for run in whole.runs:
            row = whole.summary.get((run.cell.method, variant, MASS))
            if row is not None and row.value is not None:
                rows[run.masks_input].append(row.value)
        values = rows.get(False, [])
        if values and not any(value for known in rows.values() for value in known):
            found.append(variant)
    return found


def maps_table(task: Task, measures: Measures, variant: str) -> Table | None:
    """Every metric of the judge's heatmaps."""
    names = ordered(m for m in measures.values() if m.family == "attribution" and m.explainer == JUDGE)
    columns = [(variant, m.metric, metric_label(m.metric), "") for m in names]
    table = grid(task, f"maps-{variant}", f"All metrics of the judge's heatmaps, {variant}", columns, measures)
    if table is not None:
        table.notes += footnotes(task, names)
    return table


def behaviour_table(task: Task, measures: Measures) -> Table | None:
    """What changes when the background does."""
    names = ordered(m for m in measures.values() if m.family == "behaviour")
    columns = [(variant, m.metric, metric_label(m.metric), variant) for variant in task.tested for m in names]
    table = grid(task, "behaviour", "Behaviour: what a changed background changes", columns, measures)
    if table is not None:
        table.notes += [
            "Swapped: the image's foreground on the backgrounds of five test images of other classes, marks included "
            "(same: of its own class, which shows what the seams do). Decodability is context, not proof: a feature "
            "may hold the mark without being used."
        ]
    return table


def group_table(task: Task, measures: Measures) -> Table | None:
    """Accuracy in the worst group, chosen on validation images, and the averages."""
    names = [m for m in measures.values() if any((method, GROUPS, m.metric) in task.summary for method in task.methods)]
    columns = [(GROUPS, m.metric, metric_label(m.metric), "") for m in names]
    table = grid(task, "groups", "Groups: each class with the mark of its own and with another's", columns, measures)
    if table is not None:
        table.notes += [
            "The worst group is chosen on validation images, seed by seed, and scored on the test; the plug-in minimum "
            "over test groups is too low by chance and stands here for comparison with the literature. The plain "
            "average counts every test image once, the adjusted one weighs groups by their share in training."
        ]
    return table


def guard_table(task: Task, measures: Measures, name: str) -> Table | None:
    """One check of every explainer on every method."""
    names = by_explainer(m for m in measures.values() if m.base == name)
    words = {
        "faithfulness": "Faithfulness of each explainer (ROAD: least minus most relevant first; 0 = random order)",
        "randomisation": "How much of each map is left when the weights are random (rank correlation; 1 = all)",
    }
    columns = [("iid", m.metric, explainer_words(m.explainer), "") for m in names]
    table = grid(task, name, words[name], columns, measures)
    if table is not None:
        table.notes += [
            "Whether an explainer may be used is decided by bounds over images alone, the trained models as they are "
            "(guards.csv); the intervals here are over new trainings, too.",
            *unfit_notes(task, [m.explainer for m in names]),
        ]
    return table
