r"""One table in LaTeX: booktabs rules, the interval under its value, a letter where there is no number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmark.report.latex_text import escape
from benchmark.report.numbers import Entry
from benchmark.report.rows import VERDICTS
from benchmark.report.tables import Row, Table
from benchmark.report.words import UNFIT

WIDEST, WIDEST_LONG = 9.0, 6.5
"""Columns with intervals that fit the width of a page; a wider table is cut. One that may break cannot shrink."""
NARROW = 0.5
"""Width of a column without intervals, beside one with."""
LONGEST = 62
"""Lines of a table with its notes that fit a page; a longer one may break between pages."""
NOTE, LINE = 130, 110
"""Characters in a line of notes, and of a table."""
WRAPPED, HEAD = 24, 13
"""Characters from which a column of words is set in lines, and of one line of a head."""


@dataclass
class Footnotes:
    """Letters for reasons, in the order in which they are asked for."""

    reasons: list[str]

    def letter(self, reason: str) -> str:
        if reason not in self.reasons:
            self.reasons.append(reason)
        place, letters = self.reasons.index(reason), ""
        while place >= 0:
            place, letters = place // 26 - 1, chr(97 + place % 26) + letters
        return letters


def is_long(table: Table, notes: Sequence[str]) -> bool:
    """Whether a table with its notes would not fit a page."""
    return 2 * len(table.rows) + sum(len(note) // NOTE + 1 for note in notes) > LONGEST


def parts(table: Table, long: bool) -> list[Table]:
    """The table, or pieces of it that fit the width of a page, of about equal width."""
    names = len(table.heads) - len(table.rows[0].entries) if table.rows else len(table.heads)
    columns = [[row.entries[i] for row in table.rows] for i in range(len(table.heads) - names)]
    width = sum(1.0 if any(entry.interval for entry in column) else NARROW for column in columns)
    count = max(1, math.ceil(width / (WIDEST_LONG if long else WIDEST)))
    if count == 1:
        return [table]
    ends = [round(i * len(columns) / count) for i in range(count + 1)]
    return [
        Table(
            f"{table.key}-{i}",
            f"{table.caption} ({i} of {count})",
            [*table.heads[:names], *table.heads[names + start : names + end]],
            [replace(row, entries=row.entries[start:end]) for row in table.rows],
            list(table.notes),
        )
        for i, (start, end) in enumerate(pairwise(ends), start=1)
    ]


def environment(table: Table, label: str, notes: Sequence[str], breaks: Sequence[int], long: bool) -> str:
    r"""A table with its caption, label and notes: a float, or a ``longtable`` that may break between pages.

    Args:
        table: At least one row; of :func:`parts`, or it may be set in small letters.
        label: For ``\ref``.
        notes: LaTeX, below the table.
        breaks: Rows that a rule goes before.
        long: Whether it may break.
    """
    specs, wrapped = _specs(table)
    footnotes = Footnotes([])
    body = [_row(row, table, footnotes, i, i in breaks, wrapped) for i, row in enumerate(table.rows)]
    reasons = [f"{footnotes.letter(reason)}: {escape(reason)}" for reason in footnotes.reasons]
    below = [f"Not defined, {'; '.join(reasons)}."] * bool(reasons) + list(notes)
    head = _head(table)
    title = f"\\caption{{{escape(table.caption)}}}\\label{{{label}}}"
    size = "\\footnotesize\\setlength{\\tabcolsep}{3pt}"
    small = "\\scriptsize\\raggedright\n" + "\n\\par\n".join(below) + "\n\\par"
    if long:
        start = f"\\begin{{longtable}}{{{specs}}}\n{title}\\\\\n{head}\\endfirsthead\n{head}\\endhead\n"
        return f"{{{size}\n{start}{''.join(body)}\\bottomrule\n\\end{{longtable}}\n{small}}}\n"
    tabular = f"\\begin{{tabular}}{{{specs}}}\n{head}{''.join(body)}\\bottomrule\n\\end{{tabular}}"
    fitted = (
        f"\\sbox0{{%\n{tabular}}}%\n"
        "\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n"
    )
    whole = tabular + "\n" if wrapped else fitted
    return (
        f"\\begin{{table}}[!htbp]\n\\centering\n{title}\\par\\smallskip\n{size}\n{whole}\\par\\smallskip\n"
        f"\\begin{{minipage}}{{\\linewidth}}\n{small}\n\\end{{minipage}}\n\\end{{table}}\n"
    )


def _specs(table: Table) -> tuple[str, set[int]]:
    """The column types, and the columns of words that are set in lines."""
    names = len(table.heads) - len(table.rows[0].entries)
    cells = [[*row.names, *(entry.text if not entry.reason else "" for entry in row.entries)] for row in table.rows]
    longest = [max(len(line[i]) for line in cells) for i in range(len(table.heads))]
    wrapped = {i for i, length in enumerate(longest) if length > WRAPPED and not table.numeric(i)}
    share = _share(table, [longest[i] for i in range(len(longest)) if i not in wrapped], len(wrapped))
    types = []
    for i in range(len(table.heads)):
        entries = [] if i < names else [row.entries[i - names] for row in table.rows]
        if i in wrapped:
            types.append(f">{{\\raggedright\\arraybackslash}}p{{{share:.2f}\\linewidth}}")
        elif i < names or not all(entry.reason or entry.value is not None for entry in entries):
            types.append("l")
        else:
            types.append("c" if any(entry.interval for entry in entries) else "r")
    return "".join(types), wrapped


def _share(table: Table, others: list[int], count: int) -> float:
    """The part of the line for each of ``count`` columns of words beside columns of so many characters."""
    intervals = max((len(entry.interval) for row in table.rows for entry in row.entries), default=0)
    left = LINE - sum(max(length, HEAD - 3) + 2 for length in others) - intervals
    return min(max(left / LINE / max(count, 1) - 0.02, 0.12), 0.45)


def _head(table: Table) -> str:
    """The rules and heads at the top."""
    lines = ["\\toprule"]
    if groups := table.groups():
        cells, rules, column = [], [], 1
        for name, count in groups:
            cells.append(f"\\multicolumn{{{count}}}{{c}}{{{_stack(name, HEAD * count)}}}")
            rules += [f"\\cmidrule(lr){{{column}-{column + count - 1}}}"] * bool(name)
            column += count
        lines += [" & ".join(cells) + r" \\", "".join(rules)]
    lines += [" & ".join(_stack(head.text, HEAD) for head in table.heads) + r" \\", "\\midrule"]
    return "\n".join(lines) + "\n"


def _stack(text: str, width: int) -> str:
    """Words in lines of about a width."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    stacked = r" \\ ".join(map(escape, lines))
    return stacked if len(lines) < 2 else f"\\shortstack{{{stacked}}}"


def _row(row: Row, table: Table, footnotes: Footnotes, index: int, broken: bool, wrapped: set[int]) -> str:
    """A row, and below it one of its intervals; a first name stands once for all its rows."""
    names = [escape(name) for name in row.names]
    if len(names) > 1 and not table.span(index):
        names[0] = ""
    entries = [_entry(entry, footnotes, row) for entry in row.entries]
    intervals = [entry.interval if entry.value is not None else "" for entry in row.entries]
    start = "\\midrule\n" if broken else "\\addlinespace[2pt]\n" if index and names[0] else ""
    if not any(intervals):
        return f"{start}{' & '.join([*names, *entries])} \\\\\n"
    small = [f"{{\\scriptsize {escape(text)}}}" * bool(text) for text in intervals]
    if wrapped:
        cells = [f"{entry} {text}".strip() for entry, text in zip(entries, small, strict=True)]
        return f"{start}{' & '.join([*names, *cells])} \\\\\n"
    below = " & ".join(["" for _ in names] + small)
    return f"{start}{' & '.join([*names, *entries])} \\\\*[-2pt]\n{below} \\\\\n"


def _entry(entry: Entry, footnotes: Footnotes, row: Row) -> str:
    if entry.reason:
        name = row.names[0].partition(" (")[0]
        reason = re.sub(rf"\b{re.escape(name)}\b", "the method", entry.reason)  # so that methods share a letter
        return f"---\\textsuperscript{{{footnotes.letter(reason)}}}"
    words = entry.text.partition(" ")[2] if entry.tone in VERDICTS else entry.text  # without its sign
    text = f"\\textbf{{{escape(words)}}}" if entry.best else escape(words)
    if entry.mark:
        text += f"\\textsuperscript{{{escape(entry.mark)}}}"
    return f"\\textcolor[gray]{{0.45}}{{{text}}}" if entry.tone == UNFIT else text
