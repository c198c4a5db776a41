"""Assembles ``report.html``, ``report.md`` and ``figures/<task>.svg`` from one set of tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.files import atomic_path, write_text
from benchmark.report.compared import agreement_table, comparison_table
from benchmark.report.costs import costs_table
from benchmark.report.dose import study_for
from benchmark.report.dose_figure import MARKS as DOSE_MARKS
from benchmark.report.dose_figure import draw_dose
from benchmark.report.dose_table import dose_section
from benchmark.report.families import GROUPS, family_tables
from benchmark.report.figure import MARKS, NARROW, draw, wide
from benchmark.report.findings import sentences
from benchmark.report.gallery import Gallery, Sheet, read_gallery, read_sheet
from benchmark.report.headline import headline
from benchmark.report.load import load
from benchmark.report.numbers import MINUS
from benchmark.report.records import Results, Task
from benchmark.report.settings import settings_table
from benchmark.report.tables import (
    Table,
    claims_table,
    metric_tables,
    package_table,
    seed_table,
    training_table,
)
from benchmark.report.words import VARIANTS, explainer_words, not_shown, tested_on

TEMPLATES = Path(__file__).parent / "templates"
INTERVAL = rf"\\\[([{MINUS}\d., e]+)\\\](?![(\[:])"
"""An escaped ``[low, high]`` that cannot start a link: it reads better without the backslashes."""


@dataclass(frozen=True)
class Section:
    """All that the report says of one task."""

    task: Task
    sentences: list[str]
    headline: Table
    seeds: Table
    chapters: dict[str, list[Table]]
    metrics: list[Table]
    settings: Table | None
    training: Table
    wide: str
    narrow: str
    sheet: Sheet | None
    gallery: Gallery | None


def write_report(folder: Path, out: Path | None = None) -> list[Path]:
    """Writes the report of a results folder into it, or into ``out``; equal input gives equal bytes.

    Returns:
        The files written.

    Raises:
        BenchmarkError: If the folder is not what :func:`benchmark.report.load.load` expects, or a picture is
            broken.
    """
    out = folder if out is None else out
    results = load(folder)
    sections = [_section(results, task) for task in results.tasks]
    texts = {f"figures/{task.key}.svg": draw(task, wide(task), standalone=True) for task in results.tasks}
    if (study := study_for(results)) is not None:
        texts["figures/dose.svg"] = draw_dose(study, standalone=True)
    context = {
        "results": results,
        "sections": sections,
        "dose": None if study is None else dose_section(study, own=study.results is results),
        "claims": None if results.claims is None else claims_table(results.claims),
        "costs": costs_table(results.costs) if results.costs else None,
        "packages": package_table(results),
        "not_shown": not_shown(),
        "variants": [name for name in VARIANTS if any(name in task.tested for task in results.tasks)],
        "marks": MARKS if study is None else MARKS + DOSE_MARKS,
    }
    texts["report.html"] = fill("report.html", context)
    texts["report.md"] = fill("report.md", context)
    (out / "figures").mkdir(parents=True, exist_ok=True)  # also of a suite of which everything was skipped
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts] + _copy_sheets(folder, out, sections)


def _section(results: Results, task: Task) -> Section:
    return Section(
        task=task,
        sentences=sentences(task),
        headline=headline(task, results),
        seeds=seed_table(task),
        chapters=chapters(results, task),
        metrics=metric_tables(task, elsewhere(results, task)),
        settings=settings_table(task, task.trials) if task.trials else None,
        training=training_table(task),
        wide=draw(task, wide(task)),
        narrow=draw(task, NARROW),
        sheet=read_sheet(results.folder, task),
        gallery=read_gallery(results.folder, task),
    )


def chapters(results: Results, task: Task) -> dict[str, list[Table]]:
    """The tables of the other families, of the tests and of the rankings, under their titles."""
    told = family_tables(task, results.measures)
    more = {
        "Every test": comparison_table(task, results.comparisons),
        "Do the measures agree?": agreement_table(task, results.agreement),
    }
    return told | {title: [table] for title, table in more.items() if table is not None}


def elsewhere(results: Results, task: Task) -> set[str]:
    """The metrics that a chapter shows."""
    families = {name for name, measure in results.measures.items() if measure.family in ("attribution", "behaviour")}
    guards = {name for name, measure in results.measures.items() if measure.base in ("faithfulness", "randomisation")}
    return families | guards | {name for _, variant, name in task.summary if variant == GROUPS}


def _copy_sheets(folder: Path, out: Path, sections: list[Section]) -> list[Path]:
    """Brings the contact sheets along, so that the Markdown file links to them wherever it lies."""
    if out.resolve() == folder.resolve():
        return []
    names = [f"samples/{section.task.key}.png" for section in sections if section.sheet]
    for name in names:
        with atomic_path(out / name) as fresh:
            fresh.write_bytes((folder / name).read_bytes())
    return [out / name for name in names]


def markdown(text: object) -> str:
    """``text`` as words in GitHub Markdown: nothing in it becomes a link, an emphasis or a new column.

    Tags are left to the template's autoescape.
    """
    escaped = re.sub(r"[\\`*\[\]|~$#]|\b_|_\b|(?<!\w)_", r"\\\g<0>", " ".join(str(text).split()))
    return re.sub(INTERVAL, r"[\1]", escaped)


def fill(name: str, context: dict[str, object]) -> str:
    """One template with its context."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = markdown
    environment.filters["explainer"] = explainer_words
    environment.filters["tested_on"] = tested_on
    return environment.get_template(f"{name}.j2").render(context)
