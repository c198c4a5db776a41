"""What ``python -m benchmark.report`` does once its options are understood; all is read before anything is written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.files import write_text
from benchmark.report import export, moves
from benchmark.report.against import Comparison, Side, compare, find_side, read_side
from benchmark.report.commits import commits
from benchmark.report.latex import write_latex
from benchmark.report.load import load
from benchmark.report.page import write_pages
from benchmark.report.records import Results, Selection
from benchmark.report.select import chosen, find_suite, select, titles

DATA: dict[str, Callable[[Results], str]] = {"csv": export.csv_text, "json": export.json_text}
MOVES: dict[str, Callable[[Comparison], str]] = {
    "md": moves.markdown_text,
    "csv": moves.csv_text,
    "json": moves.json_text,
}


def write_suites(options: argparse.Namespace) -> str:
    """Writes the report of every suite.

    Returns:
        What goes to the terminal: the paths written, one a line, or the text that nothing was written of.

    Raises:
        BenchmarkError: If a suite or a name is unknown, a results folder is broken, or a part would replace a whole.
    """
    folders = [find_suite(name) for name in options.suites]
    suites = [load(folder) for folder in folders]
    selection = _selection(options, suites)
    if options.out is None and not set(options.format) & {"html", "md"}:
        (name,) = options.format
        return DATA[name](_some(suites[0], selection, headline=False))
    jobs = [_job(*pair, selection) for pair in zip(suites, _places(options.out, folders), strict=True)]
    return _lines([path for job in jobs for path in _write(job, options.format)])


def _selection(options: argparse.Namespace, suites: Sequence[Results]) -> Selection | None:
    tasks = [task for results in suites for task in results.tasks]
    methods = [method for task in tasks for method in task.methods]
    families = {metric: family for task in tasks for metric, family in task.families.items()}
    return chosen(options.methods or [], options.metrics or [], methods, families)


def _some(results: Results, selection: Selection | None, *, headline: bool) -> Results:
    """The results with what is shown of them.

    Raises:
        BenchmarkError: If nothing is.
    """
    some = select(results, selection, headline=headline)
    if results.tasks and not any(task.summary for task in some.tasks):
        known = dict.fromkeys(method for task in results.tasks for method in task.methods)
        do = f"It has the methods {', '.join(known)}; metrics.csv has its metrics."
        raise BenchmarkError(f"suite {results.suite} has nothing of the selection", do=do)
    return some


def _places(out: Path | None, folders: Sequence[Path]) -> list[Path]:
    """Where the files of each results folder go."""
    if out is None:
        return list(folders)
    return [out] if len(folders) == 1 else [out / name for name in titles(folders)]


@dataclass(frozen=True)
class Job:
    """What is written of a suite, and where.

    Attributes:
        shown: With the headline's metrics, for people.
        exact: With the chosen metrics alone, for programs.
        out: The folder.
    """

    shown: Results
    exact: Results
    out: Path


def _job(results: Results, out: Path, selection: Selection | None) -> Job:
    if out.resolve() != results.folder.resolve():
        results = replace(results, commits=commits(results))
    elif selection is not None:
        raise BenchmarkError("--out with a selection", got=str(out), expected="another folder than the suite's")
    return Job(_some(results, selection, headline=True), _some(results, selection, headline=False), out)


def _write(job: Job, formats: Sequence[str]) -> list[Path]:
    written = []
    if pages := tuple(name for name in formats if name in ("html", "md")):
        written += write_pages(job.shown, job.out, formats=pages)
    if "latex" in formats:
        written += write_latex(job.shown, job.out)
    for name in DATA:
        if name in formats:
            write_text(job.out / f"report.{name}", DATA[name](job.exact))
            written.append(job.out / f"report.{name}")
    return written


def write_moves(options: argparse.Namespace) -> str:
    """Compares every suite with a commit, a suite or a folder; as :func:`write_suites`."""
    folders = [find_suite(name) for name in options.suites]
    compared = [_compared(options, read_side(folder), find_side(options.against, folder)) for folder in folders]
    if options.out is None:
        (name,) = options.format
        return "\n".join(MOVES[name](one) for one in compared)
    written = []
    for one, out in zip(compared, _places(options.out, folders), strict=True):
        for name in options.format:
            write_text(out / f"against.{name}", MOVES[name](one))
            written.append(out / f"against.{name}")
    return _lines(written)


def _compared(options: argparse.Namespace, new: Side, old: Side) -> Comparison:
    numbers = {**old.numbers, **new.numbers}
    families = {key[3]: number.family for key, number in numbers.items()}
    methods = [key[1] for key in numbers]
    return compare(old, new, chosen(options.methods or [], options.metrics or [], methods, families))


def _lines(paths: Sequence[Path]) -> str:
    return "".join(f"{path}\n" for path in paths)
