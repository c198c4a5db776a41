"""A suite's summary against recorded numbers: ``results/reference/<suite>.csv``.

A suite's tables are made from its predictions, so they agree with each other whatever the predictions are. These rows
are what they are held against, and move only when somebody records them again on purpose.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark import __version__, paths
from benchmark.cell import Cell
from benchmark.check.found import Left, Moved, Part
from benchmark.check.tolerance import Row, parse_tolerance
from benchmark.errors import BenchmarkError
from benchmark.metrics.named import metric_named
from benchmark.stored import read_facts
from benchmark.tables import read_rows, write_csv

KEY = ("dataset", "bias", "method", "variant", "metric")
COLUMNS = (*KEY, "value", "low", "high", "n_units", "n_seeds", "tolerance", "source")

OURS = re.compile(r"this project, version \S+, training code [^\s,]+(, data (?P<data>\S+))?")
PAPER = re.compile(r"paper: [^;]*\S; (table|figure|section) [^;]*\S; page \S[^;]*")
SOURCES = "'this project, version …, training code …' or 'paper: <which>; table <n>; page <n>'"

RECORDED = (
    *("accuracy", "macro_f1", "macro_auroc", "accuracy_gap", "macro_f1_gap", "macro_auroc_gap"),
    *("worst_group_accuracy", "ece", "background_swap_flip_rate"),
    *("background_relevance_mass", "background_relevance_mass_lrp"),
)
"""The metrics that are recorded: those of the headline tables. All others are derived from the same predictions."""


def name_of(row: Row) -> str:
    """A row's key in words."""
    return " ".join(row[part] for part in KEY)


def check_row(row: Row) -> None:
    """Refuses what is no reference.

    Raises:
        BenchmarkError: If a row has no value, no source, a source of no known form, an interval that does not hold the
            value, an unknown rule, or an ``abs`` that everything satisfies.
    """
    name = name_of(row)
    if not row["source"]:
        raise BenchmarkError(f"reference row {name!r} names no source", do="Say where the number comes from.")
    if not (OURS.fullmatch(row["source"]) or PAPER.fullmatch(row["source"])):
        raise BenchmarkError(f"source of reference row {name!r}", got=row["source"], expected=SOURCES)
    if not row["value"]:
        raise BenchmarkError(f"reference row {name!r} has no value", do="Record the number or delete the row.")
    for column in ("value", "low", "high"):
        try:
            finite = math.isfinite(float(row[column] or 0))
        except ValueError:
            finite = False
        if not finite:
            raise BenchmarkError(f"{column} of reference row {name!r}", got=row[column], expected="a number")
    low, value, high = (float(row[column] or row["value"]) for column in ("low", "value", "high"))
    if not low <= value <= high:
        raise BenchmarkError(f"interval of reference row {name!r}", got=[low, high], expected=f"around {value}")
    rule, widest = parse_tolerance(row["tolerance"], name), metric_range(row["metric"])
    if rule.size > widest:
        raise BenchmarkError(
            f"tolerance of reference row {name!r}", got=str(rule), expected=f"at most {widest:g}, the metric's range"
        )


def metric_range(name: str) -> float:
    """How far apart two values of a metric can be; 1 where that is not known."""
    try:
        metric = metric_named(name)
    except BenchmarkError:
        return 1.0
    width = metric.high - metric.low
    return width if math.isfinite(width) else 1.0


def read_reference(path: Path) -> list[dict[str, str]]:
    """The checked rows of a reference; none where there is no file.

    Raises:
        BenchmarkError: As :func:`check_row`; if columns are missing or a row is there twice.
    """
    rows = read_rows(path) if path.is_file() else []
    if rows and (lacking := [column for column in COLUMNS if rows[0].get(column) is None]):
        do = "Record it again: `python -m benchmark.check --record`."
        raise BenchmarkError(
            f"{path} lacks columns", got=", ".join(rows[0]), expected=f"also {', '.join(lacking)}", do=do
        )
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise BenchmarkError(f"line {number} of {path}", expected=f"{len(COLUMNS)} fields")
        check_row(row)
        if (name := name_of(row)) in seen:
            raise BenchmarkError(f"{path} holds a row twice", got=name)
        seen.add(name)
    return rows


def compare(
    recorded: Sequence[Row], summary: Iterable[Row], data: Mapping[tuple[str, ...], str] | None = None
) -> list[Moved]:
    """All recorded numbers that the summary does not reproduce by their own rules, in the recorded order.

    Of a number of ours, units and seeds must be as many and data the same, too.

    Args:
        recorded: Rows of a reference.
        summary: Rows of ``summary.csv``.
        data: Dataset, bias and method -> hash of the data behind the summary.

    Raises:
        BenchmarkError: As :func:`check_row`.
    """
    found = {tuple(row[name] for name in KEY): row for row in summary}
    moved = []
    for row in recorded:
        check_row(row)
        name, rule = name_of(row), parse_tolerance(row["tolerance"], name_of(row))
        new = found.get(tuple(row[part] for part in KEY))
        if new is None or not new["value"]:
            moved.append(Moved("reference", name, "value", row["value"], "missing", str(rule)))
            continue
        allowed = rule.allowed(row, new)
        if not abs(float(new["value"]) - float(row["value"])) <= allowed:  # so NaN has moved
            told = f"± {allowed:.4f} ({rule})" if allowed >= 5e-5 else f"± {allowed:.0e} ({rule})"
            moved.append(Moved("reference", name, "value", _short(row["value"]), _short(new["value"]), told))
        if ours := OURS.fullmatch(row["source"]):
            pairs = {column: (row[column], new[column]) for column in ("n_units", "n_seeds")}
            if ours["data"] and (present := (data or {}).get(_cell(row))):
                pairs["data"] = ours["data"], present
            moved += [Moved("reference", name, c, old, now, "equal") for c, (old, now) in pairs.items() if old != now]
    return moved


def _cell(row: Row) -> tuple[str, ...]:
    return tuple(row[part] for part in KEY[:3])


def _short(text: str) -> str:
    return f"{float(text):.4f}"


def compare_suite(suite: paths.SuitePaths) -> Part:
    """A suite's summary against its reference, but for rows of skipped cells.

    A reference without rows has moved, and so has a row of a cell that the suite does not have. Numbers of the summary
    that are not recorded are counted.

    Raises:
        BenchmarkError: As :func:`read_reference`.
    """
    part = Part(suite.name, "summary.csv against recorded numbers")
    path, facts = paths.REFERENCE / f"{suite.name}.csv", read_facts(suite)
    recorded, summary = read_reference(path), read_rows(suite.results / "summary.csv")
    if not recorded and summary:
        part.moved.append(Moved("reference", str(path), "(all rows)", "-", f"{len(summary)} rows", "record: --record"))
        return part
    rows, left = [], Counter[Left]()
    for row in recorded:
        fact = facts.get(Cell(*_cell(row)))
        if fact is None:
            part.moved.append(
                Moved("reference", name_of(row), "(row)", row["value"], "no method of the suite", "equal")
            )
        elif "skipped" in fact:
            left[Left(row["dataset"], f"skipped: {fact['skipped']['reason']}", excused=True)] += 1
        else:
            rows.append(row)
    part.left += [Left(f"{n} recorded rows of {one.what}", one.why, one.excused) for one, n in left.items()]
    known = {name_of(row) for row in recorded}
    if new := sum(recordable(row) and name_of(row) not in known for row in summary):
        part.left.append(Left(f"{new} rows of summary.csv", "not recorded yet: record them with --record"))
    data: dict[tuple[str, ...], str] = {
        (cell.dataset, cell.bias, cell.method): fact.get("data", "") for cell, fact in facts.items()
    }
    part.compared = len(rows)
    part.moved += compare(rows, summary, data)
    return part


def recordable(row: Row) -> bool:
    """Whether a row of a summary belongs into a reference."""
    return row["metric"] in RECORDED and bool(row["value"])


def record(suite: paths.SuitePaths) -> int:
    """Makes the present summary the reference, and says how many rows it has now.

    A row keeps its rule; a new one gets ``band``. What a paper says stays, and so do rows of skipped cells: nothing
    says that these moved.

    Raises:
        BenchmarkError: If the old reference or a new row is none; then nothing is written.
    """
    path, facts = paths.REFERENCE / f"{suite.name}.csv", read_facts(suite)
    old = {name_of(row): row for row in read_reference(path)}
    new: dict[str, dict[str, str]] = {}
    for row in filter(recordable, read_rows(suite.results / "summary.csv")):
        name, cell = name_of(row), Cell(*_cell(row))
        if cell not in facts or "skipped" in facts[cell]:
            raise BenchmarkError(f"row {name!r} of summary.csv is of no cell of the suite", do="Run `dvc repro` first.")
        rule = old.get(name, {}).get("tolerance") or "band"
        new[name] = {**row, "tolerance": rule, "source": source_of(facts[cell])}
    kept = {
        name: row
        for name, row in old.items()
        if row["source"].startswith("paper:") or "skipped" in facts.get(Cell(*_cell(row)), {})
    }
    rows = list((new | kept).values())
    for row in rows:
        check_row(row)
    write_csv(path, [{column: row[column] for column in COLUMNS} for row in rows], COLUMNS)
    return len(rows)


def source_of(cell: Mapping[str, Any]) -> str:
    """Where a number of ours comes from: the commit is the one that records it."""
    return f"this project, version {__version__}, training code {cell['code']}, data {cell['data']}"
