"""Where labels stand so that they hide neither each other nor the marks.

Each label tries places around its mark, near ones first in cost; the cheapest place given all other labels wins, in a
few rounds over all labels. No draw of chance: equal marks give equal places.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from benchmark.figures.style import FONT

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""

RADII = (6.0, 10.0, 15.0, 21.0, 29.0, 39.0, 52.0, 68.0, 88.0, 112.0, 140.0)
ANGLES = 24
ROUNDS = 6
MARK = 4.5
"""Half a side of the square around a mark that labels keep out of, in points."""


@cache
def text_size(text: str, size: float) -> tuple[float, float]:
    """Width and height of a line of text, in points."""
    extents = TextPath((0, 0), text, size=size, prop=FontProperties(family=FONT)).get_extents()
    return float(extents.width) + 2.0, size * 1.2


def spread(values: Floats, gap: float, low: float, high: float) -> Floats:
    """The nearest places (least squares) to ``values [n]`` that keep their order and a gap, within ``[low, high]``.

    Where there is no room for all the gap shrinks.
    """
    count = len(values)
    if count < 2:
        return np.clip(values, low, high)
    gap = min(gap, (high - low) / (count - 1))
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(count)
    fitted = isotonic_regression(np.asarray(values, float)[order] - steps).x
    places = np.empty(count)
    places[order] = np.clip(fitted, low, high - steps[-1]) + steps
    return places


def place(marks: Floats, sizes: Floats, room: Box, bars: Floats | None = None) -> Floats:
    """Boxes of the labels, ``[n, 4]`` as left, bottom, right, top, all within ``room``.

    Args:
        marks: ``[n, 2]`` in points.
        sizes: ``[n, 2]`` width and height of the labels in points.
        room: What labels must not leave.
        bars: ``[m, 4]`` boxes that labels should not cover, such as intervals.
    """
    keep_out = np.hstack([marks - MARK, marks + MARK])
    lines = np.empty((0, 4)) if bars is None else bars
    offered = [_offers(mark, size, room) for mark, size in zip(marks, sizes, strict=True)]
    boxes = np.full((len(marks), 4), np.nan)
    crowd = (np.hypot(*(marks[:, None] - marks[None]).T) < 60).sum(0)
    order = np.argsort(-crowd, kind="stable")
    for _ in range(ROUNDS):
        before = boxes.copy()
        for i in order.tolist():
            others = np.delete(boxes, i, axis=0)
            others = others[np.isfinite(others[:, 0])]
            cost = _costs(offered[i], marks[i], keep_out, others, lines)
            boxes[i] = offered[i][int(cost.argmin())]
        if np.array_equal(before, boxes):
            break
    return boxes


def near(mark: Floats, box: Floats) -> Floats:
    """The point of a box that is nearest to a mark: where a leader ends."""
    found: Floats = np.clip(mark, box[:2], box[2:])
    return found


def _offers(mark: Floats, size: Floats, room: Box) -> Floats:
    """``[c, 4]`` boxes around a mark, pushed into the room."""
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    way = np.stack([np.cos(angle), np.sin(angle)], 1)
    centre = np.concatenate([mark + way * (radius + size / 2 * np.abs(way)) for radius in RADII])
    low = np.array(room[:2]) + size / 2
    high = np.maximum(np.array(room[2:]) - size / 2, low)
    centre = np.clip(centre, low, high)
    boxes: Floats = np.hstack([centre - size / 2, centre + size / 2])
    return boxes


def _costs(offers: Floats, mark: Floats, marks: Floats, labels: Floats, bars: Floats) -> Floats:
    """Of each offer: covered labels weigh most, then marks, then leaders across labels, bars, and distance."""
    ends = np.clip(mark, offers[:, :2], offers[:, 2:])
    length = np.hypot(*(ends - mark).T)
    way = mark + (ends - mark)[:, None] * np.linspace(0.1, 1, 10)[None, :, None]
    cost: Floats = (
        40 * (_overlap(offers, labels) > 0).sum(1)
        + _overlap(offers, labels).sum(1) / 20
        + 25 * (_overlap(offers, marks) > 0).sum(1)
        + 8 * _crossed(way, labels)
        + 3 * _crossed(way, marks)
        + 2 * (_overlap(offers, bars) > 0).sum(1)
        + length / 8
    )
    return cost


def _overlap(offers: Floats, boxes: Floats) -> Floats:
    """``[c, b]`` shared area."""
    low = np.maximum(offers[:, None, :2], boxes[None, :, :2])
    high = np.minimum(offers[:, None, 2:], boxes[None, :, 2:])
    area: Floats = np.clip(high - low, 0, None).prod(2)
    return area


def _crossed(way: Floats, boxes: Floats) -> Floats:
    """``[c]``: how many boxes the ways ``[c, p, 2]`` lead through."""
    point = way[:, :, None]
    inside = (point > boxes[None, None, :, :2]) & (point < boxes[None, None, :, 2:])
    found: Floats = np.all(inside, axis=3).any(axis=1).sum(axis=1).astype(float)
    return found
