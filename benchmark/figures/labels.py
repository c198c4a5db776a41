"""Where labels stand so that they hide neither each other nor the marks.

Each label tries places around its mark, near ones first in cost; the cheapest place given all other labels wins, in a
few rounds over all labels. The labels take turns in several orders; the cheapest result is drawn. No draw of chance:
equal marks give equal places.
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
MARK = 5.5
"""Half a side of the square around a mark that labels keep out of, in points."""
LEAD = 8.0
"""Points from a mark to its label from which on a leader joins them."""
GAP = 6.0
"""Points between the middle of a mark and its leader."""
SLANT = 20.0
"""Degrees between a leader and both axes at least: it must not look like an interval, which is never oblique."""


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
    alone = [_alone(offers, mark, keep_out, lines) for offers, mark in zip(offered, marks, strict=True)]
    crowd = (np.hypot(*(marks[:, None] - marks[None]).T) < 60).sum(0)
    best, lowest = np.full((len(marks), 4), np.nan), np.inf
    for key in (-crowd, crowd, marks[:, 0], -marks[:, 0], marks[:, 1], -marks[:, 1]):
        boxes = np.full((len(marks), 4), np.nan)
        for _ in range(ROUNDS):
            before, total = boxes.copy(), 0.0
            for i in np.argsort(key, kind="stable").tolist():
                others = np.delete(boxes, i, axis=0)
                others = others[np.isfinite(others[:, 0])]
                cost = alone[i][0] + _together(offered[i], alone[i][1], others)
                boxes[i] = offered[i][int(cost.argmin())]
                total += float(cost.min())
            if np.array_equal(before, boxes):
                break
        if total < lowest - 1e-6:
            best, lowest = boxes, total
    return best


def near(mark: Floats, box: Floats) -> Floats:
    """The point of a box that is nearest to a mark."""
    found: Floats = np.clip(mark, box[:2], box[2:])
    return found


def lead(mark: Floats, boxes: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Where the leaders from a mark to boxes ``[c, 4]`` end, ``[c, 2]``, and whether they are oblique, ``[c]``.

    It is the nearest point of the border from which the way is oblique, or that of the largest angle.
    """
    share = np.linspace(0, 1, 25)
    flat = np.zeros_like(share)
    border = np.concatenate(
        [np.stack(pair, 1) for pair in ((share, flat), (share, flat + 1), (flat, share), (flat + 1, share))]
    )
    points = boxes[:, None, :2] + (boxes[:, 2:] - boxes[:, :2])[:, None] * border
    way = np.abs(points - mark)
    angle = np.degrees(np.arctan2(way.min(2), way.max(2)))
    length = np.hypot(way[..., 0], way[..., 1])
    best = np.where(angle >= SLANT, length, 1e6 - angle).argmin(1)
    rows = np.arange(len(boxes))
    return points[rows, best], angle[rows, best] >= SLANT


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


def _alone(offers: Floats, mark: Floats, marks: Floats, bars: Floats) -> tuple[Floats, Floats]:
    """Of each offer what it costs whatever the other labels do, ``[c]``, and the points of its leader, ``[c, p, 2]``.

    A leader that looks like an interval weighs most, then covered marks, then crossings, bars and distance. An offer
    without leader has points that are NaN, which cross nothing.
    """
    length = np.hypot(*(np.clip(mark, offers[:, :2], offers[:, 2:]) - mark).T)
    ends, oblique = lead(mark, offers)
    leads = length > LEAD
    start = mark + (ends - mark) * (LEAD / np.maximum(np.hypot(*(ends - mark).T), LEAD))[:, None]
    way = start[:, None] + (ends - start)[:, None] * np.linspace(0, 1, 24)[None, :, None]
    way[~leads] = np.nan
    cost: Floats = (
        100.0 * (leads & ~oblique)
        + 60 * (_overlap(offers, marks) > 0).sum(1)
        + 16 * _crossed(way, marks)
        + 4 * _crossed(way, bars)
        + 2 * (_overlap(offers, bars) > 0).sum(1)
        + length / 8
    )
    return cost, way


def _together(offers: Floats, way: Floats, labels: Floats) -> Floats:
    """Of each offer what the other labels make it cost: covered ones, and those that its leader crosses."""
    shared = _overlap(offers, labels)
    cost: Floats = 120 * (shared > 0).sum(1) + shared.sum(1) / 20 + 16 * _crossed(way, labels)
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
