"""The figure of a task: accuracy of every method on every variant, drawn as SVG by hand.

Position of a value ``v`` in [0, 1]: ``x = left + v * (right - left)``.

Written by hand because importing a plotting library takes longer than the whole report, and because an SVG of
our own follows the page's light and dark colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from benchmark.report.headline import find
from benchmark.report.numbers import fraction
from benchmark.report.records import Task

STEP, PAD, HEAD, FOOT = 22, 18, 30, 44
SHAPES = {
    "iid": "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
    "ood": "M-4.4-4.4H4.4V4.4H-4.4Z",
    "deceiving": "M0-6L6 0L0 6L-6 0Z",
    "external": "M0-5.6L5.4 4H-5.4Z",
}
"""One shape a variant, so that the figure does not need colour."""

STYLE = """
svg{--ink:#1d2329;--muted:#5b6670;--line:#d8dde2;--paper:#fff;--iid:#1f5fa8;--ood:#6b7280;--deceiving:#b8480f;
--external:#8a6d00;font-family:system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e6e9ec;--muted:#a0abb5;--line:#3a434c;--paper:#14181c;--iid:#7db4f0;
--ood:#a9b2bc;--deceiving:#f09a5e;--external:#e0c04c}}
.paper{fill:var(--paper)}
"""
MARKS = """
.plot text{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}
.plot .soft{fill:var(--muted);font-size:12px}.plot .method{font-weight:600}
.plot .grid{stroke:var(--line);stroke-width:1}
.plot .chance{stroke:var(--muted);stroke-width:1.25;stroke-dasharray:4 3}
.plot .iid{fill:var(--iid);stroke:var(--iid)}.plot .ood{fill:var(--ood);stroke:var(--ood)}
.plot .deceiving{fill:var(--deceiving);stroke:var(--deceiving)}
.plot .external{fill:var(--external);stroke:var(--external)}
.plot .interval{stroke-width:2;fill:none}.plot .mark{stroke:none}.plot .seed{fill:none;stroke-width:1.1}
"""


@dataclass(frozen=True)
class Frame:
    """Where the plot lies in the drawing, in user units."""

    width: int
    left: int
    right: int
    stacked: bool = False

    def x(self, value: float) -> float:
        return self.left + value * (self.right - self.left)


NARROW = Frame(width=360, left=78, right=306, stacked=True)
"""For telephones: the method above its marks, no interval in words."""


def wide(task: Task) -> Frame:
    """For all else: the method beside its marks, with room for the longest name."""
    left = 96 + 8 * max(map(len, task.methods))
    return Frame(width=left + 660, left=left, right=left + 480)


def describe(task: Task) -> str:
    """The figure in one sentence, for those who do not see it."""
    parts = []
    for method in task.methods:
        rows = {variant: find(task, method, variant, "accuracy") for variant in task.tested}
        values = [f"{v} {fraction(r.value)}" for v, r in rows.items() if r is not None and r.value is not None]
        parts.append(f"{method}: {', '.join(values) or 'no value'}")
    return f"Accuracy with 95 % interval on {task.key}. " + "; ".join(parts) + "."


def draw(task: Task, frame: Frame, standalone: bool = False) -> str:
    """The figure as an SVG element; ``standalone`` brings its colours and background for a file of its own.

    An interval that leaves [0, 1] is cut there.
    """
    variants = task.tested
    title = 20 if frame.stacked else 0
    block = len(variants) * STEP + PAD + title
    bottom = HEAD + block * len(task.methods)
    parts = [words_at("soft", frame.x(1 / task.classes), HEAD - 13, f"chance 1/{task.classes}", "middle")]
    for i, method in enumerate(task.methods):
        top = HEAD + i * block
        at = (4, top + 22) if frame.stacked else (8, top + PAD / 2 + len(variants) * STEP / 2 + 4)
        inner = [_grid(task, frame, top, block), words_at("method", at[0], at[1], method)]
        for j, variant in enumerate(variants):
            inner.append(_series(task, frame, method, variant, top + PAD / 2 + title + (j + 0.5) * STEP))
        parts.append(f'<g data-row="{escape(method)}">{"".join(inner)}</g>')
    parts.append(f'<g class="foot">{_axis(frame, bottom)}</g>')
    size = f'viewBox="0 0 {frame.width} {bottom + FOOT}" width="{frame.width}" height="{bottom + FOOT}"'
    label = escape(describe(task), quote=True)
    name = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    start = f"<style>{STYLE}{MARKS}</style>" if standalone else ""
    paper = '<rect class="paper" width="100%" height="100%"/>' if standalone else ""
    return (
        f'<svg{name} class="plot" role="img" {size} data-step="{block}" aria-label="{label}">'
        f"{start}<title>{label}</title>{paper}\n" + "\n".join(parts) + "\n</svg>\n"
    )


def words_at(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    """Words in a figure."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def _ticks(frame: Frame) -> tuple[float, ...]:
    return (0.0, 0.5, 1.0) if frame.stacked else (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def _grid(task: Task, frame: Frame, top: int, block: int) -> str:
    """The lines behind one method: each has its own, so that a page can leave methods out."""
    lines = [f'<line class="grid" x1="0" x2="{frame.width}" y1="{top}" y2="{top}"/>']
    for tick in _ticks(frame):
        x = frame.x(tick)
        lines.append(f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="{top}" y2="{top + block}"/>')
    x = frame.x(1 / task.classes)
    lines.append(f'<line class="chance" x1="{x:.2f}" x2="{x:.2f}" y1="{top}" y2="{top + block}"/>')
    return "".join(lines)


def _axis(frame: Frame, bottom: int) -> str:
    ticks = [words_at("soft", frame.x(tick), bottom + 18, f"{tick:.1f}", "middle") for tick in _ticks(frame)]
    return "".join([*ticks, words_at("soft", frame.x(0.5), bottom + 36, "accuracy", "middle")])


def _series(task: Task, frame: Frame, method: str, variant: str, y: float) -> str:
    row = find(task, method, variant, "accuracy")
    parts = [words_at("soft", frame.left - 14, y + 4, variant, "end")]
    if row is None or row.value is None:
        parts.append(words_at("soft", frame.left + 8, y + 4, "not defined"))
    else:
        if row.low is not None and row.high is not None:
            low, high = max(row.low, 0.0), min(row.high, 1.0)
            ends = f'x1="{frame.x(low):.2f}" x2="{frame.x(high):.2f}"'
            parts.append(f'<line class="interval {variant}" {ends} y1="{y:g}" y2="{y:g}"/>')
        place = f"translate({frame.x(row.value):.2f} {y:g})"
        parts.append(f'<path class="mark {variant}" transform="{place}" d="{SHAPES[variant]}"/>')
        interval = ""
        if not frame.stacked and row.low is not None and row.high is not None:
            interval = f" [{fraction(row.low)}, {fraction(row.high)}]"
        parts.append(words_at("value", frame.right + 14, y + 4, fraction(row.value) + interval))
    for seed in task.seeds(method):
        value = task.scores.get((method, seed, variant, "accuracy"))
        if value is not None:
            parts.append(f'<circle class="seed {variant}" cx="{frame.x(value):.2f}" cy="{y + 8:g}" r="2.2"/>')
    return f'<g data-method="{escape(method)}" data-variant="{variant}">' + "".join(parts) + "</g>"
