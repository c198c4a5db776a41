"""The figure of a study of doses: accuracy where the bias deceives against each dial, a line a method.

Position of a dose ``d`` between the least ``a`` and the most ``b``: ``x = left + (d - a) / (b - a) * (right - left)``;
of an accuracy ``v``: ``y = bottom - v * (bottom - top)``. Methods stand side by side at a dose, so that intervals
do not hide each other. Written by hand as :mod:`benchmark.report.figure`, for the same reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby

from benchmark.report.dose import Series, Study, response
from benchmark.report.figure import STYLE, words_at
from benchmark.report.numbers import fraction

COLOURS = (
    ("#b8480f", "#f09a5e"),
    ("#1f5fa8", "#7db4f0"),
    ("#1a7a4c", "#67c795"),
    ("#7a4fa3", "#bf9be0"),
    ("#00727f", "#5cc3cf"),
    ("#8a6d00", "#e0c04c"),
    ("#a8326b", "#ee8bb8"),
    ("#5b6670", "#a9b2bc"),
)
"""On light and on dark ground; one a method, again from the first where there are more."""

SHAPES = (
    "M0-4.5A4.5 4.5 0 1 1 0 4.5A4.5 4.5 0 1 1 0-4.5Z",
    "M-4-4H4V4H-4Z",
    "M0-5.6L5.6 0L0 5.6L-5.6 0Z",
    "M0-5L5 3.8H-5Z",
    "M0 5L5-3.8H-5Z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
    "M-5-2.6L0-5L5-2.6V2.6L0 5L-5 2.6Z",
)
"""One a method, so that the figure does not need colour; their number shares no factor with that of the colours."""

LIGHT, DARK = ("".join(f"--m{i}:{pair[shade]};" for i, pair in enumerate(COLOURS)) for shade in (0, 1))
MARKS = f"""
.dose{{{LIGHT}}}
@media (prefers-color-scheme:dark){{.dose{{{DARK}}}}}
.dose text{{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}}
.dose .soft{{fill:var(--muted);font-size:12px}}.dose .head{{font-weight:600}}
.dose .grid{{stroke:var(--line);stroke-width:1}}
.dose .chance{{stroke:var(--muted);stroke-width:1.25;stroke-dasharray:4 3}}
.dose .key{{stroke:var(--muted);fill:none}}.dose .mark{{stroke:none}}
.dose .interval{{stroke-width:1.6;fill:none}}.dose .deceiving{{stroke-width:1.8;fill:none}}
.dose .iid{{stroke-width:1.1;fill:none;stroke-dasharray:1.2 3;stroke-linecap:round}}
"""
PAGE_MARKS = f"svg.dose{{{''.join(f'--m{i}:light-dark({a},{b});' for i, (a, b) in enumerate(COLOURS))}}}\n"
"""In a page the colours follow its own choice of light or dark, which need not be the system's."""

HEIGHT, HEAD, FOOT, ROW, ALONG = 260, 34, 50, 20, 390
"""Of a panel, above and below it, of a row of the key, and from one panel to the next: user units."""


@dataclass(frozen=True)
class Panel:
    """Where the plot of a series lies, in user units."""

    left: float
    right: float
    top: float
    low: float
    high: float

    @property
    def bottom(self) -> float:
        return self.top + HEIGHT

    def x(self, dose: float) -> float:
        return self.left + (dose - self.low) / (self.high - self.low) * (self.right - self.left)

    def y(self, accuracy: float) -> float:
        """An accuracy beyond [0, 1], as the end of an interval may be, is cut there."""
        return self.bottom - min(max(accuracy, 0.0), 1.0) * HEIGHT


def describe(study: Study) -> str:
    """The figure in words, for those who do not see it."""
    parts = []
    for series in study.series:
        for method in study.methods:
            rows = {dose: response(task, method, "deceiving") for dose, task in series.tasks.items()}
            values = [f"{dose:g} {fraction(r.value)}" for dose, r in rows.items() if r and r.value is not None]
            parts.append(f"{method} by {series.title}: {', '.join(values) or 'no value'}")
    return f"Accuracy on deceiving with 95 % interval by dose of {study.bias}. " + "; ".join(parts) + "."


def draw_dose(study: Study, *, stacked: bool = False, standalone: bool = False) -> str:
    """The figure as an SVG element.

    Args:
        study: The numbers.
        stacked: Panels one above the other, for telephones.
        standalone: With its colours and ground, for a file of its own.
    """
    width = 360 if stacked else 30 + ALONG * len(study.series)
    parts, bottom = _key(study.methods, width)
    foot = float(bottom)
    for i, series in enumerate(study.series):
        left = 66.0 if stacked else 66.0 + ALONG * i
        top, doses = (foot if stacked else bottom) + HEAD, list(series.tasks)
        panel = Panel(left, width - 24.0 if stacked else left + ALONG - 80, top, doses[0], doses[-1])
        parts.append(_panel(study, series, panel))
        foot = panel.bottom + FOOT
    label = escape(describe(study), quote=True)
    name = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    start = f"<style>{STYLE}{MARKS}</style>" if standalone else ""
    paper = '<rect class="paper" width="100%" height="100%"/>' if standalone else ""
    size = f'viewBox="0 0 {width} {foot:g}" width="{width}" height="{foot:g}"'
    return (
        f'<svg{name} class="dose" role="img" {size} aria-label="{label}">{start}<title>{label}</title>{paper}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _key(methods: list[str], width: int) -> tuple[list[str], int]:
    """What marks and lines mean, and where it ends."""
    parts, row = [], 0
    for i, (at, row) in enumerate(_places([8 * len(name) + 34 for name in methods], width - 12)):
        parts.append(_mark(i, f"translate({at + 8} {row * ROW + 15})"))
        parts.append(words_at("", at + 20, row * ROW + 19, methods[i]))
    y = (row + 1) * ROW + 14
    parts.append(f'<path class="key deceiving" d="M16 {y}h26"/><path class="key iid" d="M216 {y}h26"/>')
    parts += [words_at("soft", 48, y + 4, "deceiving, 95 % interval"), words_at("soft", 248, y + 4, "iid")]
    return parts, y + 14


def _places(widths: list[int], room: int) -> Iterator[tuple[int, int]]:
    """Where each entry of the key begins, and in which row, so that all fit."""
    at, row = 8, 0
    for width in widths:
        if at > 8 and at + width > room:
            at, row = 8, row + 1
        yield at, row
        at += width


def _mark(number: int, place: str, more: str = "") -> str:
    fill, shape = f"var(--m{number % len(COLOURS)})", SHAPES[number % len(SHAPES)]
    return f'<path class="mark" fill="{fill}"{more} transform="{place}" d="{shape}"/>'


def _panel(study: Study, series: Series, panel: Panel) -> str:
    ends = f'x1="{panel.left - 14:g}" x2="{panel.right + 14:g}"'
    parts = [words_at("head", panel.left - 14, panel.top - 14, f"Accuracy by {series.title}")]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = panel.y(tick)
        parts.append(f'<line class="grid" {ends} y1="{y:g}" y2="{y:g}"/>')
        parts.append(words_at("soft", panel.left - 22, y + 4, f"{tick:.1f}", "end"))
    y = panel.y(1 / study.classes)
    parts.append(f'<line class="chance" {ends} y1="{y:.2f}" y2="{y:.2f}"/>')
    parts.append(words_at("soft", panel.left - 10, y - 5, f"chance 1/{study.classes}"))
    for dose in series.tasks:
        parts.append(words_at("soft", panel.x(dose), panel.bottom + 18, f"{dose:g}", "middle"))
    parts.append(words_at("soft", (panel.left + panel.right) / 2, panel.bottom + 37, series.dial, "middle"))
    step = min(4.5, 18 / len(study.methods))
    for i, method in enumerate(study.methods):
        aside = (i - (len(study.methods) - 1) / 2) * step
        inner = "".join(_line(series, panel, method, i, aside))
        parts.append(f'<g data-dial="{series.dial}" data-method="{escape(method)}">{inner}</g>')
    return "\n".join(parts)


def _line(series: Series, panel: Panel, method: str, number: int, aside: float) -> Iterator[str]:
    """The lines of a method, broken where a dose has no value, and its marks."""
    colour = f"var(--m{number % len(COLOURS)})"
    for variant in ("iid", "deceiving"):
        rows = [(dose, response(task, method, variant)) for dose, task in series.tasks.items()]
        for there, run in groupby(rows, key=lambda pair: pair[1] is not None):
            values = [(dose, row.value) for dose, row in run if row is not None and row.value is not None]
            if there:
                way = "L".join(f"{panel.x(dose) + aside:.2f} {panel.y(value):.2f}" for dose, value in values)
                alone = "h.1" if len(values) == 1 else ""  # a dot: what has no length is not painted
                yield f'<path class="{variant}" stroke="{colour}" d="M{way}{alone}"/>'
    for dose, row in rows:
        if row is None or row.value is None:
            continue
        x = panel.x(dose) + aside
        if row.low is not None and row.high is not None:
            ends = f'y1="{panel.y(row.low):.2f}" y2="{panel.y(row.high):.2f}"'
            yield f'<line class="interval" stroke="{colour}" x1="{x:.2f}" x2="{x:.2f}" {ends}/>'
        yield _mark(number, f"translate({x:.2f} {panel.y(row.value):.2f})", f' data-dose="{dose:g}"')
