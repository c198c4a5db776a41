"""Two measures against each other, a mark a method: bias against generalization, cost against robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import IdentityTransform

from benchmark.figures.labels import GAP, LEAD, Floats, lead, near, place, text_size
from benchmark.figures.style import INK, LEADER, Look

SIZE = 7.5
"""Of the labels, in points."""


@dataclass(frozen=True)
class Dot:
    """A method in the plane; bounds are ``None`` where there are none.

    Attributes:
        sign: Says why ``x`` decides nothing; such a mark is open.
    """

    method: str
    x: float
    y: float
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None
    sign: str = ""


def draw_dots(axes: Axes, dots: Sequence[Dot], looks: Mapping[str, Look], upright: Sequence[float] = ()) -> None:
    """Marks with their intervals and names, which keep off upright lines; the limits of the axes must be final."""
    for dot in dots:
        look = looks[dot.method]
        if dot.x_ends:
            axes.plot(dot.x_ends, [dot.y] * 2, color=look.colour, linewidth=0.9, alpha=0.6, label=f"{dot.method}: x")
        if dot.y_ends:
            axes.plot([dot.x] * 2, dot.y_ends, color=look.colour, linewidth=0.9, alpha=0.6, label=f"{dot.method}: y")
        axes.plot([dot.x], [dot.y], **look.marker(6.5, face="none" if dot.sign else None), label=dot.method, zorder=3)
    _name(axes, dots, upright)


def _name(axes: Axes, dots: Sequence[Dot], upright: Sequence[float]) -> None:
    texts = [dot.method + dot.sign for dot in dots]
    marks = axes.transData.transform([(dot.x, dot.y) for dot in dots])
    sizes = np.array([text_size(text, SIZE) for text in texts])
    bars = [np.concatenate([ends.min(0) - 0.6, ends.max(0) + 0.6]) for dot in dots for ends in _ends(axes, dot)]
    box = axes.get_window_extent()
    for x in upright:
        at = axes.transData.transform((x, 0.0))[0]
        bars.append(np.array([at - 1.5, box.y0, at + 1.5, box.y1]))
    room = (box.x0 + 2, box.y0 + 2, box.x1 - 2, box.y1 - 2)
    boxes = place(marks, sizes, room, np.array(bars).reshape(-1, 4))
    for text, mark, at in zip(texts, marks, boxes, strict=True):
        if np.hypot(*(near(mark, at) - mark)) > LEAD:
            end = lead(mark, at[None])[0][0]
            start = mark + (end - mark) * GAP / np.hypot(*(end - mark))
            axes.plot(
                *zip(start, end, strict=True),
                color=LEADER,
                linewidth=0.5,
                transform=IdentityTransform(),
                zorder=2,
                label="leader",
            )
        axes.text(
            at[0] + 1,
            (at[1] + at[3]) / 2,
            text,
            fontsize=SIZE,
            color=INK,
            va="center_baseline",
            transform=IdentityTransform(),
            zorder=4,
        )


def _ends(axes: Axes, dot: Dot) -> list[Floats]:
    """The ends of the intervals of a mark in points, ``[2, 2]`` each."""
    lines = []
    if dot.x_ends:
        lines.append(axes.transData.transform([(x, dot.y) for x in dot.x_ends]))
    if dot.y_ends:
        lines.append(axes.transData.transform([(dot.x, y) for y in dot.y_ends]))
    return lines
