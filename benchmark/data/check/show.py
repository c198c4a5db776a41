"""A report for people: tables and sentences in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmark.data.check.report import Report

COLOURS = {"fault": "bold red", "alarm": "bold magenta", "warning": "yellow", "note": "dim"}
ORDER = tuple(COLOURS)
EXAMPLES = 3


def show(report: Report, console: Console | None = None) -> None:
    """Prints counts, probes, findings (the gravest first) and a last line that sums up."""
    out = console or Console()
    out.print(f"{escape(report.folder)}: {report.images} images of {report.units} patients, {report.seconds} s")
    out.print(counts_of(report))
    if report.probes:
        out.print(probes_of(report))
    for found in sorted(report.findings, key=lambda each: ORDER.index(each.level)):
        out.print(f"[{COLOURS[found.level]}]{found.level}[/]: {escape(found.sentence)}", soft_wrap=True)
        for example in found.examples[:EXAMPLES]:
            out.print(f"    {escape(example)}", soft_wrap=True)
        if found.count > EXAMPLES:
            out.print(f"    ... {found.count} in all")
    out.print(verdict(report))


def counts_of(report: Report) -> Table:
    """Class x source x split."""
    table = Table("class", "source", "split")
    for name in ("images", "patients", "good masks"):
        table.add_column(name, justify="right")
    for each in report.counts:
        names = [escape(text) for text in (each.label, each.source, each.split or "(drawn)")]
        table.add_row(*names, str(each.images), str(each.units), str(each.masks))
    return table


def probes_of(report: Report) -> Table:
    """What the linear model reaches."""
    table = Table("a linear model sees", "AUROC", "balanced accuracy", "tested on")
    for each in report.probes:
        auroc = f"{each.auroc:.3f} [{each.auroc_low:.3f}, {each.auroc_high:.3f}]"
        low, high = each.balanced_accuracy_low, each.balanced_accuracy_high
        table.add_row(
            "the background" if each.sees == "background" else "the outline (control)",
            escape(auroc),
            escape(f"{each.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"),
            f"{each.images} images of {each.units} patients, {each.tested_on}",
        )
    return table


def verdict(report: Report) -> str:
    """The last line."""
    counts = {level: sum(found.level == level for found in report.findings) for level in ORDER[:3]}
    told = ", ".join(f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count)
    return f"[bold]{told or 'clean'}[/]"
