"""The hash of the code that decides scores: what the stage ``score`` runs, explainers and metrics of images too."""

from __future__ import annotations

import hashlib

from benchmark.provenance import OURS, closure, hash_of, meaning
from benchmark.registry import EXPLAINERS, METRICS, Entry
from benchmark.same_bits import first_of
from benchmark.scoring.settings import Scoring

PROGRAM = "benchmark.scoring.cell"
OF_PREDICTIONS = ("generalization", "ranking", "calibration")
"""Modules of ``benchmark.metrics`` whose numbers the report computes from what is stored."""


def scoring_hash(settings: Scoring) -> str:
    """SHA-256 of all code that a score of an image depends on: the oldest that gives the same bits.

    Args:
        settings: The explainers that are asked.
    """
    return first_of(raw_scoring_hash(settings))


def raw_scoring_hash(settings: Scoring) -> str:
    """:func:`scoring_hash` of the code as it stands; comments and docstrings do not count.

    Args:
        settings: The explainers that are asked.
    """
    entries = [EXPLAINERS.entry(name) for name in sorted(settings.explainers)] + of_images()
    ours = [module for module in map(module_of, entries) if module.partition(".")[0] in OURS]
    digest = hashlib.sha256()
    for name, file in closure([PROGRAM, *ours]).items():
        digest.update(f"{name}\0{meaning(file.read_text(encoding='utf-8'))}\0".encode())
    for entry in entries:
        if module_of(entry).partition(".")[0] not in OURS:  # of another package
            digest.update(f"{entry.name}\0{hash_of(entry)}\0".encode())
    return digest.hexdigest()


def of_images() -> list[Entry]:
    """The metrics that the stage computes itself, and those of other packages, of which nobody knows."""
    table = METRICS.table()
    predicted = {f"benchmark.metrics.{name}" for name in OF_PREDICTIONS}
    return [
        table[name] for name in sorted(table) if table[name].error is None and module_of(table[name]) not in predicted
    ]


def module_of(entry: Entry) -> str:
    """The module of a registered object."""
    return entry.target.partition(":")[0]
