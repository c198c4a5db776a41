"""What the report says of a study of doses: its figure and the numbers of that."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.report.dose import DIALS, VARIANTS, Series, Study
from benchmark.report.dose_figure import draw_dose
from benchmark.report.headline import find
from benchmark.report.numbers import Entry, estimate, undefined
from benchmark.report.records import Task
from benchmark.report.tables import NO_ROW, NO_VALUE, Head, Row, Table


@dataclass(frozen=True)
class DoseSection:
    """All that the report says of a study.

    Attributes:
        own: Whether the study is the suite of the report itself.
        told: Where the numbers come from; empty if it is.
        legend: What lines and marks mean.
        wide: The figure as SVG.
        narrow: The same for telephones.
        tables: Its numbers.
    """

    own: bool
    told: str
    legend: str
    wide: str
    narrow: str
    tables: list[Table]


def dose_section(study: Study, *, own: bool) -> DoseSection:
    """The section of a study, in the report of its own suite or of another."""
    return DoseSection(
        own=own,
        told="" if own else told(study),
        legend="Accuracy where the bias deceives, by its dose in training. Marks: means over seeds, as in the tables; "
        "bars: their 95 % intervals; dotted: accuracy on iid; dashed: chance, "
        f"1/{study.classes}. Methods stand side by side at one dose.",
        wide=draw_dose(study),
        narrow=draw_dose(study, stacked=True),
        tables=dose_tables(study),
    )


def dose_tables(study: Study) -> list[Table]:
    """One table a series: a row for each method at each dose; then the slopes, where they are there."""
    return [_table(study, series) for series in study.series] + ([_slopes(study)] if study.results.slopes else [])


def _slopes(study: Study) -> Table:
    """Dose and response in one number: the slope of each method along each dial."""
    found = {(slope.method, slope.dial, slope.variant): slope for slope in study.results.slopes}
    columns = list(dict.fromkeys((slope.dial, slope.variant) for slope in study.results.slopes))
    rows = []
    for method in study.methods:
        entries = []
        for column in columns:
            slope = found.get((method, *column))
            entries.append(
                undefined("fewer than three doses")
                if slope is None
                else estimate(slope.value, slope.low, slope.high, reason=NO_VALUE)
            )
        rows.append(Row((method,), entries))
    heads = [Head("Method"), *(Head(variant, f"By {dial}") for dial, variant in columns)]
    table = Table("dose-slopes", "Dose-response slope of accuracy (0: the dose does not matter)", heads, rows)
    table.notes = [
        "Least squares over the doses of the tables above: the change of accuracy from dose 0 to dose 1 along the "
        "line. The 95 % interval covers test units, which all doses share, and seeds. The response need not be a "
        "line: see the figure."
    ]
    return table


def told(study: Study) -> str:
    """Where the numbers come from, in a sentence or two."""
    results, runs = study.results, [run for task in study.results.tasks for run in task.runs]
    epochs = " or ".join(map(str, sorted({run.epochs for run in runs})))
    return (
        f"These numbers are of the suite {results.suite} (results/{results.suite}): the bias {study.bias} on "
        f"{runs[0].cell.dataset}, each dose its own trainings of {epochs} epochs with the seeds "
        f"{', '.join(map(str, results.seeds))}. Its report has all other numbers and its claims."
    )


def _table(study: Study, series: Series) -> Table:
    rows = [
        Row((method, f"{dose:g}"), _entries(task, method))
        for method in study.methods
        for dose, task in series.tasks.items()
    ]
    heads = [Head("Method"), Head(series.dial.capitalize()), *(Head(variant, "Accuracy") for variant in VARIANTS)]
    heads += [Head("Units"), Head("Seeds")]
    table = Table(f"dose-{series.dial}", f"Accuracy by {series.title}", heads, rows)
    table.notes = [
        f"{series.dial.capitalize()}: {DIALS[series.dial]}. Mean of the seeds with its 95 % interval; the intervals of "
        f"two doses are each for itself, not of their difference. Chance gives 1/{study.classes}."
    ]
    return table


def _entries(task: Task, method: str) -> list[Entry]:
    found = {variant: find(task, method, variant, "accuracy") for variant in VARIANTS}
    entries = []
    for row in found.values():
        if row is None:
            entries.append(undefined(NO_ROW))
        else:
            entries.append(estimate(row.value, row.low, row.high, reason=NO_VALUE))
    for name, reason in (("n_units", "no test unit"), ("n_seeds", "no seed")):
        counts = sorted({getattr(row, name) or 0 for row in found.values() if row is not None} - {0})
        entries.append(Entry(" or ".join(map(str, counts))) if counts else undefined(reason))
    return entries
