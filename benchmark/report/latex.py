r"""The report for LaTeX: a file a table to ``\input`` into a paper, and ``report.tex``, which compiles as it is.

The headline of each task, costs and claims; where metrics are chosen, the tables of those, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from benchmark.files import write_text
from benchmark.report.access import ORDER
from benchmark.report.ahead import lead
from benchmark.report.claimed import claims_table
from benchmark.report.costs import costs_table
from benchmark.report.families import family_tables
from benchmark.report.findings import MARGIN_NOTE, sentences
from benchmark.report.headline import headline
from benchmark.report.latex_table import environment, is_long, parts
from benchmark.report.latex_text import escape
from benchmark.report.records import Results, Task
from benchmark.report.select import told
from benchmark.report.tables import Head, Table, metric_tables
from benchmark.report.words import not_shown, tested_on

PACKAGES = ("array", "booktabs", "color", "graphicx", "longtable")
SEES = dict(zip(ORDER, "MGBET", strict=True))
"""A letter for what a method sees beside images and labels."""
LIMITS = "This does not establish"
"""A note that starts so is told in full below every table."""


def write_latex(results: Results, out: Path) -> list[Path]:
    """Writes ``report.tex`` and ``tables/<table>.tex``.

    Returns:
        The files written.
    """
    files = tables(results)
    texts = {f"tables/{name}.tex": text for chapter in files.values() for name, text in chapter.items()}
    texts["report.tex"] = document(results, files)
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts]


def tables(results: Results) -> dict[str, dict[str, str]]:
    """Chapter (the key of a task, or empty) to name and text of each table."""
    found = {}
    for task in results.tasks:
        shown = [_with_access(headline(task, results), task), *_asked(results, task)]
        found[task.key] = {name: text for table, breaks in shown for name, text in _texts(results, table, breaks)}
    rest = [costs_table(results.costs)] * bool(results.costs)
    rest += [claims_table(results.claims)] if results.claims else []
    return found | {"": {name: text for table in rest for name, text in _texts(results, table, [])}}


def _asked(results: Results, task: Task) -> list[tuple[Table, list[int]]]:
    """The tables of the metrics that were chosen, if any were."""
    if results.selection is None or results.selection.metrics is None:
        return []
    chapters = family_tables(task, results.measures)
    inside = {name for name, one in results.measures.items() if one.family in ("attribution", "behaviour")}
    inside |= {name for name, one in results.measures.items() if one.base in ("faithfulness", "randomisation")}
    found = [table for shown in chapters.values() for table in shown] + metric_tables(task, inside)
    return [(replace(table, notes=[*table.notes, *([told(task)] if told(task) else [])]), []) for table in found]


def _with_access(table: Table, task: Task) -> tuple[Table, list[int]]:
    """The headline with letters for what its methods see, and the rows where methods begin that see more."""
    needs = [row.names[0] for row in table.rows]
    rows = [replace(row, names=(row.names[1], _letters(row.names[0]))) for row in table.rows]
    legend = ", ".join(f"{letter} {words}" for words, letter in SEES.items() if any(words in one for one in needs))
    notes = [f"Seen beside images and labels: {legend}."] * bool(legend) + table.notes
    notes.insert(0, f"Tested on {tested_on(task.tested)}.")
    breaks = [i for i, (one, other) in enumerate(pairwise(needs), start=1) if one != other]
    return replace(table, heads=[table.heads[1], Head("Sees"), *table.heads[2:]], rows=rows, notes=notes), breaks


def _letters(needs: str) -> str:
    return " ".join(SEES[words] for words in needs.split(", ") if words in SEES)


def _texts(results: Results, table: Table, breaks: list[int]) -> Iterator[tuple[str, str]]:
    """Files to input, by name: a table or its parts, with notes, protocol, and what it does not establish."""
    notes = [escape(note) for note in table.notes if not note.startswith(LIMITS)]
    notes += [f"\\emph{{Protocol.}} {escape(' '.join(results.protocol))}"] * bool(results.protocol)
    notes.append(f"\\emph{{What this does not establish.}} {escape(' '.join(not_shown(claims=bool(results.claims))))}")
    start = f"% shortcut-bench {results.version}, suite {results.suite}. \\usepackage{{{','.join(PACKAGES)}}}\n"
    long = is_long(table, notes)
    for one in parts(table, long):
        yield one.key, start + environment(one, f"tab:{results.suite}-{one.key}", notes, breaks, long)


def document(results: Results, files: dict[str, dict[str, str]]) -> str:
    """``report.tex``: what the methods did in words, every table, and where the numbers come from."""
    lines = ["\\documentclass[a4paper]{article}", "\\usepackage[margin=18mm]{geometry}"]
    lines += [f"\\usepackage{{{name}}}" for name in PACKAGES]
    lines += [f"\\title{{shortcut-bench: suite {escape(results.suite)}}}", "\\author{}", "\\date{}"]
    lines += ["\\begin{document}", "\\maketitle"]
    for task in results.tasks:
        lines += [f"\\section*{{{escape(task.title)}}}", escape(lead(task)), "\\begin{itemize}"]
        lines += [f"\\item {escape(line)}" for line in sentences(task)]
        lines += [
            "\\end{itemize}",
            escape(MARGIN_NOTE) * bool(task.shift),
            *(f"\\input{{tables/{name}}}" for name in files[task.key]),
            "\\clearpage",
        ]
    if files[""]:
        lines += ["\\section*{Costs and claims}", *(f"\\input{{tables/{name}}}" for name in files[""]), "\\clearpage"]
    for one in results.skipped:
        lines.append(f"{escape(one.task)} was skipped: {escape(one.reason)}. {escape(one.do)}\n")
    code = "of each method" if "," in results.code else results.code
    lines += ["\\section*{Provenance}"]
    seeds = ", ".join(map(str, results.seeds))
    lines.append(escape(f"shortcut-bench {results.version}, suite {results.suite}, seeds {seeds}, code {code}."))
    lines += [f"\n{escape(cell)}: predictions of commit {escape(commit)}." for cell, commit in results.commits.items()]
    return "\n".join([*lines, "\\end{document}"]) + "\n"
