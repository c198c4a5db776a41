"""Assembles ``report.html``, ``report.md`` and ``figures/<task>.svg`` from one set of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import raise_unknown
from benchmark.files import atomic_path, write_text
from benchmark.report.ahead import lead
from benchmark.report.claimed import claims_table
from benchmark.report.compared import agreement_table, comparison_table
from benchmark.report.costs import costs_table
from benchmark.report.details import as_script, details
from benchmark.report.dose import Study, study_for
from benchmark.report.dose_figure import MARKS as DOSE_MARKS
from benchmark.report.dose_figure import PAGE_MARKS, draw_dose
from benchmark.report.dose_table import dose_section
from benchmark.report.families import GROUPS, family_tables
from benchmark.report.figure import MARKS, NARROW, draw, wide
from benchmark.report.figures_shown import ROOM, Figures, read_figures, read_overview
from benchmark.report.fill import fill, policy, script
from benchmark.report.findings import MARGIN_NOTE, sentences
from benchmark.report.gallery import Gallery, Sheet, read_gallery, read_sheet
from benchmark.report.headline import headline
from benchmark.report.load import load
from benchmark.report.records import Results, Task
from benchmark.report.settings import settings_table
from benchmark.report.tables import (
    Table,
    metric_tables,
    package_table,
    seed_table,
    training_table,
)
from benchmark.report.words import VARIANTS, not_shown

FORMATS = ("html", "md")


@dataclass(frozen=True)
class Section:
    """All that the report says of one task."""

    task: Task
    lead: str
    sentences: list[str]
    margin: str
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
    figures: Figures


def write_report(folder: Path, out: Path | None = None) -> list[Path]:
    """Writes the report of a results folder into it, or into ``out``; equal input gives equal bytes.

    Returns:
        The files written.

    Raises:
        BenchmarkError: If the folder is not what :func:`benchmark.report.load.load` expects, or a picture is
            broken.
    """
    return write_pages(load(folder), folder if out is None else out)


def write_pages(results: Results, out: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Writes the pages of results, read and perhaps selected; as :func:`write_report`.

    Args:
        results: What to show.
        out: Folder of the pages.
        formats: Of :data:`FORMATS`. The HTML page holds all its pictures; Markdown links to files beside it.
    """
    for name in formats:
        if name not in FORMATS:
            raise_unknown("format of a page", name, FORMATS)
    study, overview = study_for(results), read_overview(results)
    sections = _sections(results, ROOM - overview.size)
    context = _context(results, sections, study) | {"overview": overview}
    texts = {f"report.{name}": fill(f"report.{name}", context) for name in formats}
    if "md" in formats:
        texts |= _drawings(results, study)
        (out / "figures").mkdir(parents=True, exist_ok=True)  # also of a suite of which everything was skipped
    linked = "md" in formats or not all(one.uri for section in sections for one in section.figures.shown)
    copied = _copy_pictures(results.folder, out, sections, overview) if linked else []
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts] + copied


def _context(results: Results, sections: list[Section], study: Study | None) -> dict[str, object]:
    needs = {run.cell.method: run.needs for task in results.tasks for run in task.runs}
    code = script()
    return {
        "results": results,
        "sections": sections,
        "dose": None if study is None else dose_section(study, own=study.results is results),
        "claims": None if results.claims is None else claims_table(results.claims),
        "costs": costs_table(results.costs) if results.costs else None,
        "packages": package_table(results),
        "not_shown": not_shown(claims=bool(results.claims)),
        "variants": [name for name in VARIANTS if any(name in task.tested for task in results.tasks)],
        "methods": needs if study is None else needs | {name: "" for name in study.methods if name not in needs},
        "marks": MARKS if study is None else MARKS + DOSE_MARKS + PAGE_MARKS,
        "details": as_script(details(results)),
        "script": code,
        "policy": policy(code),
    }


def _drawings(results: Results, study: Study | None) -> dict[str, str]:
    texts = {f"figures/{task.key}.svg": draw(task, wide(task), standalone=True) for task in results.tasks}
    return texts if study is None else texts | {"figures/dose.svg": draw_dose(study, standalone=True)}


def _sections(results: Results, room: int) -> list[Section]:
    sections = []
    for task in results.tasks:
        figures = read_figures(results, task, room)
        room -= figures.size
        sections.append(_section(results, task, figures))
    return sections


def _section(results: Results, task: Task, figures: Figures) -> Section:
    return Section(
        task=task,
        lead=lead(task),
        sentences=sentences(task),
        margin=MARGIN_NOTE if task.shift else "",
        headline=headline(task, results),
        seeds=seed_table(task),
        chapters=chapters(results, task),
        metrics=metric_tables(task, elsewhere(results, task)),
        settings=settings_table(task, task.trials) if task.trials else None,
        training=training_table(task, results.measures),
        wide=draw(task, wide(task)),
        narrow=draw(task, NARROW),
        sheet=read_sheet(results.folder, task),
        gallery=read_gallery(results.folder, task),
        figures=figures,
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


def _copy_pictures(folder: Path, out: Path, sections: list[Section], overview: Figures) -> list[Path]:
    """Brings contact sheets and drawn figures along: the Markdown file links to them wherever it lies."""
    if out.resolve() == folder.resolve():
        return []
    names = [f"samples/{section.task.key}.png" for section in sections if section.sheet]
    names += [one.file for found in (overview, *(section.figures for section in sections)) for one in found.shown]
    for name in names:
        with atomic_path(out / name) as fresh:
            fresh.write_bytes((folder / name).read_bytes())
    return [out / name for name in names]
