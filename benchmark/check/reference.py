"""A suite's summary against recorded numbers: ``results/reference/<suite>.csv``.

A suite's tables are made from its predictions, so they agree with each other whatever the predictions are. These rows
are what they are held against, and move only when somebody records them again on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark import __version__, paths
from benchmark.check.found import Left, Moved, Part
from benchmark.check.tolerance import Row, parse_tolerance
from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.tables import read_rows, write_csv

KEY = ("dataset", "bias", "method", "variant", "metric")
COLUMNS = (*KEY, "value", "low", "high", "n_units", "n_seeds", "tolerance", "source")

OURS = re.compile(r"this project, version \S+, training code \S.*")
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
        BenchmarkError: If a row has no value, no source, a source of no known form or an unknown rule.
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
            float(row[column] or 0)
        except ValueError:
            raise BenchmarkError(f"{column} of reference row {name!r}", got=row[column], expected="a number") from None
    parse_tolerance(row["tolerance"], name)


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


def compare(recorded: Sequence[Row], summary: Iterable[Row]) -> list[Moved]:
    """All recorded numbers that the summary does not reproduce by their own rules, in the recorded order.

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
    return moved


def _short(text: str) -> str:
    return f"{float(text):.4f}"


def compare_suite(suite: paths.SuitePaths) -> Part:
    """A suite's summary against its reference, but for rows of skipped data sets and of methods that the suite has not.

    Raises:
        BenchmarkError: As :func:`read_reference`.
    """
    part = Part(suite.name, "summary.csv against recorded numbers")
    path, summary = paths.REFERENCE / f"{suite.name}.csv", read_rows(suite.results / "summary.csv")
    recorded = read_reference(path)
    if not recorded:
        part.left.append(Left(str(path), "no such file: record one with --record"))
    skipped = {
        cell["dataset"]: cell["skipped"]["reason"] for cell in read_json(suite.results / "suite.json")["skipped"]
    }
    present, rows = {row["method"] for row in summary}, []
    left: dict[str, tuple[int, str]] = {}
    for row in recorded:
        if row["dataset"] in skipped:
            name, why = row["dataset"], f"skipped: {skipped[row['dataset']]}"
        elif row["method"] not in present:
            name, why = row["method"], "no method of the suite"
        else:
            rows.append(row)
            continue
        left[name] = left.get(name, (0, why))[0] + 1, why
    part.left += [Left(f"{count} recorded rows of {name}", why) for name, (count, why) in left.items()]
    part.compared, part.moved = len(rows), compare(rows, summary)
    return part


def record(suite: paths.SuitePaths) -> int:
    """Makes the present summary the reference, and says how many rows it has now.

    A row keeps its rule; a new one gets ``band``. What a paper says stays, and so do rows of skipped data sets: nothing
    says that these moved.
    """
    path, suite_json = paths.REFERENCE / f"{suite.name}.csv", read_json(suite.results / "suite.json")
    old = {name_of(row): row for row in (read_rows(path) if path.is_file() else [])}
    skipped = {cell["dataset"] for cell in suite_json["skipped"]}
    cells = {tuple(cell[name] for name in KEY[:3]): cell for cell in suite_json["cells"]}
    new: dict[str, dict[str, str]] = {}
    for row in read_rows(suite.results / "summary.csv"):
        if row["metric"] not in RECORDED or not row["value"]:
            continue
        name = name_of(row)
        rule = old.get(name, {}).get("tolerance") or "band"
        new[name] = {**row, "tolerance": rule, "source": source_of(cells[row["dataset"], row["bias"], row["method"]])}
    kept = {
        name: {"tolerance": "band"} | row
        for name, row in old.items()
        if row["source"].startswith("paper:") or row["dataset"] in skipped
    }
    rows = (new | kept).values()
    write_csv(path, [{column: row[column] for column in COLUMNS} for row in rows], COLUMNS)
    return len(rows)


def source_of(cell: Mapping[str, Any]) -> str:
    """Where a number of ours comes from: the commit is the one that records it."""
    return f"this project, version {__version__}, training code {cell['code']}, data {cell['data']}"
