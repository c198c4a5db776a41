"""A verified method beside the suite's own: accuracy on every variant, and the difference to the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.api import Needs
from benchmark.metrics.generalization import ACCURACY
from benchmark.report.access import rank
from benchmark.report.numbers import probability
from benchmark.report.words import REFERENCE, SHIFTS
from benchmark.stats.compare import Difference, holm
from benchmark.stats.track import Track, of_logits
from benchmark.stats.tracks import difference
from benchmark.submission.check import Verified
from benchmark.submission.layout import estimate
from benchmark.submission.unmatched import unmatched_difference

MARK = " *"
"""Behind the name of the submitted method."""


@dataclass(frozen=True)
class Line:
    """One method.

    Attributes:
        needs: What it sees, in words.
        tracks: Accuracy by variant.
        found: Difference to the reference on the task's shift; ``None`` for the reference itself.
        p_holm: Its p, Holm-adjusted over all methods of the table.
    """

    method: str
    needs: str
    submitted: bool
    tracks: dict[str, Track]
    found: Difference | None = None
    p_holm: float = math.nan


def shift_of(variants: Sequence[str]) -> str:
    """The variant of the comparison that is fixed in advance (rule 21); ``""`` if there is none."""
    return next((name for name in SHIFTS if name in variants), "")


def lines_of(verified: Verified) -> list[Line]:
    """All methods, those that see least first."""
    stored, shift = verified.stored, shift_of(list(verified.stored.tested))
    needs = Needs(**verified.record.sees.model_dump()).describe()
    mine = {variant: verified.tracks[variant, ACCURACY.name] for variant in stored.tested}
    lines = [Line(verified.record.method, needs, True, mine)]
    for cell, predictions in stored.predictions.items():
        tracks = {v: of_logits(ACCURACY, v, predictions, verified.weights) for v in stored.tested}
        lines.append(Line(cell.method, str(stored.facts[cell].get("needs", "nothing")), False, tracks))
    first = next((line for line in lines if not line.submitted and line.method == REFERENCE), None)
    if first is not None and shift:
        lines = [first, *_compared([line for line in lines if line is not first], first, shift, verified)]
    return sorted(lines, key=lambda line: (rank(line.needs), line.needs, line.submitted, line.method != REFERENCE))


def _compared(lines: Sequence[Line], first: Line, shift: str, verified: Verified) -> list[Line]:
    reference = first.tracks[shift]
    found = [
        unmatched_difference(line.tracks[shift], reference)
        if line.submitted
        else difference(line.tracks[shift], reference, verified.stored.base, verified.weights)
        for line in lines
    ]
    p = holm(np.array([math.nan if each is None else each.p for each in found]))
    return [
        Line(line.method, line.needs, line.submitted, line.tracks, each, float(value))
        for line, each, value in zip(lines, found, p, strict=True)
    ]


def comparison(verified: Verified) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the printed table."""
    variants = list(verified.stored.tested)
    shift = shift_of(variants)
    lines = lines_of(verified)
    head = ["method", "sees", *variants, *([f"minus {REFERENCE}, {shift}", "p (Holm)"] if shift else [])]
    rows = []
    for line in lines:
        row = [line.method + (MARK if line.submitted else ""), "" if line.needs == "nothing" else line.needs]
        row += [_estimate(line.tracks[variant]) for variant in variants]
        if shift:
            diff = line.found.interval if line.found else None
            row.append(estimate(diff.value, diff.low, diff.high) if diff else "")
            row.append("" if math.isnan(line.p_holm) else probability(line.p_holm))
        rows.append(row)
    return head, rows


def scores(verified: Verified) -> tuple[list[str], list[list[str]]]:
    """Head and rows of all recomputed scores."""
    variants = list(verified.stored.tested)
    metrics = list(dict.fromkeys(metric for _, metric in verified.tracks))
    rows = [[metric, *(_estimate(verified.tracks[variant, metric]) for variant in variants)] for metric in metrics]
    return ["metric", *variants], rows


def notes(verified: Verified) -> list[str]:
    """What a reader of both tables must know."""
    lines = [
        "Means over seeds; 95 % intervals over new test units and new trainings. Best is best only among those who see "
        "the same.",
        f"* Submitted. Its seeds are not matched with the suite's, so of its difference to {REFERENCE} test units are "
        f"paired and the variances of both sides' seeds add. The suite's own methods are paired by seed, too. p is "
        f"Holm-adjusted over the methods of this table.",
        "Verified: data, images, protocol and scores. Not verified, for no file can prove it: that a trained model "
        "gave these answers, and that it saw no more than it says.",
    ]
    if len(verified.record.seeds) < 2:
        lines.insert(2, "One seed: its intervals and its p speak of this trained model alone, not of the method.")
    if verified.equal:
        names = ", ".join(cell.method for cell in verified.equal)
        lines.insert(2, f"Its answers are, bit by bit, those that the suite stores of {names}: no training of its own.")
    return lines


def _estimate(track: Track) -> str:
    own = track.interval()
    return estimate(own.value, own.low, own.high)
