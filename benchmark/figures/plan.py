"""What a figure is before it is painted: its words, its reasons, and how to paint it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap

from matplotlib.figure import Figure

from benchmark.figures.style import Look, drawing
from benchmark.report.headline import find
from benchmark.report.numbers import MINUS, fraction
from benchmark.report.records import Results, Run, Summary, Task
from benchmark.report.words import GREY

INTERVALS = "bars: 95 % intervals over units and seeds"
BY_DESIGN, THROUGH = "‡", "†"
SIGNS = {
    BY_DESIGN: "the method blanks its background, so that nothing there can light up",
    THROUGH: "the method is trained through this explainer",
    GREY: "the explainer failed a check on the method",
}
"""Why a value by an explainer decides nothing."""


@dataclass(frozen=True)
class Subject:
    """What the figures of a task are about.

    Attributes:
        results: Of the suite.
        task: Dataset and bias.
        methods: Those that are shown, in the order of the tables.
        looks: Of all methods of the suite.
    """

    results: Results
    task: Task
    methods: tuple[str, ...]
    looks: Mapping[str, Look]

    def run(self, method: str) -> Run:
        return next(run for run in self.task.runs if run.cell.method == method)

    def row(self, method: str, variant: str, metric: str) -> Summary | None:
        """The summary of a method; ``None`` where it has no value."""
        row = find(self.task, method, variant, metric)
        return None if row is None or row.value is None else row

    def value(self, method: str, variant: str, metric: str = "accuracy") -> float:
        """The value of a method; NaN where it has none."""
        row = find(self.task, method, variant, metric)
        return math.nan if row is None or row.value is None else row.value

    def sign(self, method: str, explainer: str) -> str:
        """The sign of a value by an explainer that decides nothing about this method: as in the tables."""
        run = self.run(method)
        own = BY_DESIGN if run.masks_input else THROUGH if run.trained_through == explainer else ""
        return own + GREY * ((method, explainer) in self.task.unfit)


@dataclass(frozen=True)
class Plan:
    """A figure with its words.

    Attributes:
        name: Of the file.
        title: What it shows, in a few words.
        caption: What is shown, of how many units and seeds, and what it does not show or leaves out, with reasons.
        alt: Its numbers in words.
        paint: Makes the figure; ``None`` where there is nothing to draw, of which the caption says why.
    """

    name: str
    title: str
    caption: str
    alt: str
    paint: Callable[[], Figure] | None

    def figure(self) -> Figure:
        """The figure in memory, under the settings that all have."""
        if self.paint is None:
            raise ValueError(f"{self.name} is not drawn: {self.caption}")
        with drawing(self.name):
            return self.paint()

    def words(self) -> dict[str, str]:
        return {"title": self.title, "caption": self.caption, "alt": self.alt}


def absent(name: str, title: str, reason: str) -> Plan:
    """A figure that is not drawn."""
    return Plan(name, title, f"Not drawn: {reason}.", "", None)


def counts(rows: Iterable[Summary | None]) -> str:
    """How many units and seeds stand behind rows: ``1000 units, 3 seeds``."""
    known = [row for row in rows if row is not None]
    units = sorted({row.n_units for row in known if row.n_units is not None})
    seeds = sorted({row.n_seeds for row in known if row.n_seeds is not None})
    return f"{ends(units, 'units')}, {ends(seeds, 'seeds')}"


def ends(numbers: list[int], word: str) -> str:
    """``3 seeds``, ``99 to 100 units``, or that they are not counted."""
    if not numbers:
        return f"{word} not counted"
    low, high = min(numbers), max(numbers)
    text = f"{high}" if low == high else f"{low} to {high}"
    return f"{text} {word.removesuffix('s') if high == 1 else word}"


def signs_told(signs: Iterable[str]) -> str:
    """What signs mean, each once; empty where there are none."""
    used = "".join(signs)
    return "; ".join(f"{sign} {meaning}" for sign, meaning in SIGNS.items() if sign in used)


def left_out(reasons: Mapping[str, str]) -> str:
    """A sentence about methods that are not drawn, by reason; empty where there are none."""
    by_reason: dict[str, list[str]] = {}
    for method, reason in reasons.items():
        by_reason.setdefault(reason, []).append(method)
    parts = [f"{', '.join(methods)} ({reason})" for reason, methods in by_reason.items()]
    return f" Left out: {'; '.join(parts)}." if parts else ""


def estimate(value: float, low: float | None, high: float | None, *, signed: bool = False) -> str:
    """``0.961 [0.940, 0.982]``."""
    form = _signed if signed else fraction
    return form(value) + (" [no interval]" if low is None or high is None else f" [{form(low)}, {form(high)}]")


def told(row: Summary | None) -> str:
    """An estimate, or that there is none."""
    return "no value" if row is None or row.value is None else estimate(row.value, row.low, row.high)


def _signed(value: float) -> str:
    text = fraction(value)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def clip(text: str, width: int) -> str:
    """Text in lines of at most so many characters."""
    return "\n".join(wrap(text, width))
