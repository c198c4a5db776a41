"""The whole check of a folder, and what its numbers mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmark.data.check import duplicates, tables
from benchmark.data.check.look import Look, look_at
from benchmark.data.check.probe import FEWEST, probe
from benchmark.data.check.report import Finding, Probed, Report, finding
from benchmark.data.check.tables import Table
from benchmark.data.table import read_table
from benchmark.errors import BenchmarkError

TABLES = ("index.csv", "manifest.csv")
WORDS = {"test_id": "test", "test_ext": "external", "valid": "val", "validation": "val", "training": "train"}
"""Common names of splits, in ours."""

ALARM = 0.7
"""Where the interval of the background's AUROC lies above this, the background tells the class."""
CHANCE = 0.5


def check_folder(folder: Path, csv: str = "", words: Mapping[str, str] | None = None) -> Report:
    """Looks at every file of a folder of images with a table.

    Args:
        folder: It holds the table, which names files below it.
        csv: The table (default: index.csv, else manifest.csv).
        words: The table's names of splits, in ours.

    Raises:
        BenchmarkError: If there is no folder, or its table cannot be read.
    """
    start = time.monotonic()
    if not folder.is_dir():
        raise BenchmarkError("folder to check", got=str(folder), expected="a folder with images and index.csv")
    names = [csv] if csv else [name for name in TABLES if (folder / name).is_file()] or [TABLES[0]]
    table = Table.of(read_table(folder / names[0], names[0]), {**WORDS, **(words or {})})
    look = look_at(folder, table.file, table.mask)
    probes = [
        found
        for sees in ("background", "mask")
        if (found := probe(look, table.label, table.unit, table.split, sees)) is not None
    ]
    findings = [
        *tables.of_rows(table, look),
        *tables.of_splits(table),
        *of_doubles(table, look),
        *tables.of_stand_ins(table, look),
        *of_probes(probes),
    ]
    return Report(
        folder=folder.resolve().name,
        images=len(table),
        units=len(set(table.unit)),
        counts=tables.counted(table, look),
        probes=probes,
        findings=findings,
        seconds=round(time.monotonic() - start, 1),
    )


def of_doubles(table: Table, look: Look) -> Iterator[Finding]:
    """The same picture where it must not be: in two splits, or in two classes."""
    # images whose split is drawn stay together only within their unit
    home = [split or f"unit {unit}" for split, unit in zip(table.split, table.unit, strict=True)]
    equal = duplicates.equal_files(look)
    near = duplicates.near_duplicates(look, home, table.label)
    for name, pairs, told in (
        ("duplicates", equal, "are one picture twice"),
        ("near_duplicates", near, "show one picture, scaled or compressed anew,"),
    ):
        torn = [pair for pair in pairs if home[pair[0]] != home[pair[1]]]
        odd = [pair for pair in pairs if table.label[pair[0]] != table.label[pair[1]]]
        same = [pair for pair in pairs if pair not in {*torn, *odd}]
        sentence = f"{len(torn)} pairs of files {told} in two splits (or two patients to be split): they leak."
        yield from finding("fault", f"{name}_across_splits", sentence, told_pairs(table, torn))
        sentence = f"{len(odd)} pairs of files {told} in two classes: at least one label is wrong."
        yield from finding("fault", f"{name}_across_classes", sentence, told_pairs(table, odd))
        sentence = f"{len(same)} pairs of files {told} in one split: they count double."
        yield from finding("warning", f"{name}_within_splits", sentence, told_pairs(table, same))


def told_pairs(table: Table, pairs: list[duplicates.Pair]) -> list[str]:
    """The pairs as text."""
    return [
        " = ".join(f"{table.file[row]} ({table.split[row] or 'drawn'}, {table.label[row]})" for row in pair)
        for pair in pairs
    ]


def of_probes(probes: list[Probed]) -> Iterator[Finding]:
    """What the linear model on the background means."""
    if not probes:
        sentence = (
            f"The background could not be probed: it takes two classes with good masks of {FEWEST} patients each."
        )
        yield Finding("warning", "no_probe", sentence)
        return
    background, control = probes[0], probes[-1]
    seen = f"the background alone {told_auroc(background)}, the object's outline alone {told_auroc(control)}"
    if background.auroc_low >= ALARM:
        yield Finding(
            "alarm",
            "background_tells_class",
            f"Shortcut alarm: the background tells the class. A linear model reaches the AUROC: {seen}. A classifier "
            "can do without the object: test on other sources, and train with a method that keeps to the foreground.",
        )
    elif background.auroc_low > CHANCE:
        yield Finding(
            "warning",
            "background_hints_at_class",
            f"The background hints at the class, more than chance and less than the alarm's {ALARM}. A linear model "
            f"reaches the AUROC: {seen}.",
        )
    else:
        yield Finding(
            "note",
            "background_says_nothing",
            f"A linear model on the background does no better than chance. AUROC: {seen}. That rules out a plain "
            "shortcut, not a subtle one.",
        )


def told_auroc(probed: Probed) -> str:
    """Value and interval."""
    return f"{probed.auroc:.3f} [{probed.auroc_low:.3f}, {probed.auroc_high:.3f}]"
