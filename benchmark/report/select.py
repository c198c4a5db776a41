"""Where a suite lies, and which of its methods and metrics are shown.

A selection hides and decides nothing: bold, differences and Holm's p stay those of the whole suite, so that no method
becomes the best by leaving out its rivals. Claims are never left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.report.measures import Agreement
from benchmark.report.records import Results, Selection, Task
from benchmark.report.words import GAP, REFERENCE, listed

RESULTS = Path("results")
"""The folder that holds a folder a suite, relative to the working directory."""

HEADLINE = ("accuracy", f"accuracy{GAP}")
"""What every page and every LaTeX document tells of a task, whatever metrics are chosen."""


def find_suite(name: str, results: Path = RESULTS) -> Path:
    """The results folder of a suite, by its name under ``results`` or by its path.

    A name that is both a suite and a folder here is the suite; ``./name`` is the folder.

    Raises:
        BenchmarkError: If it is neither, with the close names that exist.
    """
    if "/" not in name and (results / name / "suite.json").is_file():
        return results / name
    path = Path(name)
    if not path.is_dir() and "/" not in name:
        raise_unknown("suite", name, suites(results), "A folder is given by its path.")
    return path


def suites(results: Path = RESULTS) -> list[str]:
    """The names of all suites that have results."""
    return sorted(path.parent.name for path in results.glob("*/suite.json"))


def spelt_out(asked: Iterable[str], families: Mapping[str, str]) -> frozenset[str]:
    """The metrics that names of metrics and families stand for; a metric brings its gap along.

    Args:
        asked: Names of metrics or families.
        families: Metric to family, of all that there are.

    Raises:
        BenchmarkError: If a name is neither, with the close names that exist.
    """
    names: set[str] = set()
    for name in asked:
        of_family = {metric for metric, family in families.items() if family == name}
        if not of_family and name not in families:
            raise _unknown_metric(name, families)
        names |= of_family or {name, name + GAP} & set(families)
    return frozenset(names)


def _unknown_metric(name: str, families: Mapping[str, str]) -> BenchmarkError:
    """Names the close ones; all of them would fill a screen."""
    close = difflib.get_close_matches(name, sorted({*families, *families.values()}), n=3)
    hint = f"{' or '.join(map(repr, close))}, " if close else ""
    kinds = ", ".join(sorted(set(families.values())))
    expected = f"{hint}another metric, or one of the families {kinds}"
    return BenchmarkError("unknown metric", got=name, expected=expected, do="A suite's metrics.csv lists its metrics.")


def chosen(
    methods: Sequence[str], metrics: Sequence[str], known: Collection[str], families: Mapping[str, str]
) -> Selection | None:
    """The selection that was asked for; ``None`` if nothing was.

    Args:
        methods: Names; all if empty.
        metrics: Names or families; all if empty.
        known: All methods that there are.
        families: Metric to family, of all that there are.

    Raises:
        BenchmarkError: If a name is unknown, with the close names that exist.
    """
    if not methods and not metrics:
        return None
    for name in methods:
        if name not in set(known):
            raise_unknown("method", name, set(known))
    return Selection(frozenset(methods) if methods else None, spelt_out(metrics, families) if metrics else None)


def select(results: Results, selection: Selection | None, *, headline: bool = True) -> Results:
    """The results with what a selection shows; methods stay in the order of the tables.

    Args:
        results: Of a suite.
        selection: What to show; ``None`` is all.
        headline: Whether accuracy and its gap stay whatever metrics are chosen, for tables that people read.
    """
    if selection is None:
        return results
    methods, accuracy = selection.methods, selection.has("accuracy")

    def has(method: str) -> bool:
        return methods is None or method in methods

    tasks = [_task(task, selection, headline) for task in results.tasks if any(map(has, task.methods))]
    return replace(
        results,
        tasks=tasks,
        costs=[cost for cost in results.costs if has(cost.method)],
        comparisons=[c for c in results.comparisons if has(c.method) and accuracy],
        agreement=[one for one in results.agreement if _ranked(one, selection)],
        slopes=[slope for slope in results.slopes if has(slope.method) and accuracy],
        selection=selection,
    )


def _ranked(one: Agreement, selection: Selection) -> bool:
    """Whether a rank correlation is shown: one over all methods says nothing of some of them."""
    return selection.methods is None and selection.has(one.first) and selection.has(one.second)


def _task(task: Task, selection: Selection, headline: bool) -> Task:
    def shown(method: str, metric: str) -> bool:
        kept = selection.has(metric) or (headline and metric in HEADLINE)
        return kept and (selection.methods is None or method in selection.methods)

    return replace(
        task,
        runs=[run for run in task.runs if selection.methods is None or run.cell.method in selection.methods],
        summary={key: row for key, row in task.summary.items() if shown(key[0], key[2])},
        scores={key: value for key, value in task.scores.items() if shown(key[0], key[3])},
        whole=task.whole or task,
        kept=frozenset(name for name in HEADLINE if headline and not selection.has(name)),
    )


def told(task: Task) -> str:
    """What a reader of a selection has to know, in a sentence or two; empty if all methods are shown."""
    if task.whole is None or len(task.methods) == len(task.whole.methods):
        return ""
    everyone = len(task.whole.methods)
    text = (
        f"Shown are {len(task.methods)} of {everyone} methods; what is bold or tied, and every Holm-adjusted p, was "
        f"decided among all {everyone}."
    )
    if REFERENCE in task.whole.methods and REFERENCE not in task.methods:
        text += f" Differences and tests are to {REFERENCE}, which is not shown."
    return text


def titles(among: Sequence[Path]) -> list[str]:
    """A name for each of some results folders, by which what is written of them is told apart.

    Raises:
        BenchmarkError: If two have one name.
    """
    names = [folder.resolve().name for folder in among]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BenchmarkError(
            f"two results folders are called {listed(twice)}",
            got=", ".join(map(str, among)),
            expected="a name of its own for each, under which it is written",
            do="Report them one by one.",
        )
    return names
