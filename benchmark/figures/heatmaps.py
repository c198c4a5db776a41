"""The judge's heatmaps of a task: a test image a row, a method a column, the image itself first.

Images are not chosen by hand: ``gallery/*.npz`` holds the first image of each class in a seeded draw that all methods
share. Colours are those of :mod:`benchmark.report.heatmap`: orange speaks for the class, blue against it, white is
nothing, and each map has its own scale.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmark.figures.labels import text_size
from benchmark.figures.plan import Plan, Subject, absent, left_out, signs_told
from benchmark.figures.scatter import JUDGE
from benchmark.figures.style import DPI, GRID, INK, MUTED, frame, paper
from benchmark.report.gallery import Gallery, Photo, Strip, read_gallery
from benchmark.report.words import explainer_words

MOST = 12
"""Images, the first ones."""
TILE, GAP = 1.0, 0.1
"""Sides of a tile and the room between two, in units of the axes."""
INCH = {True: 0.36, False: 0.52}
"""Of a tile, where methods are many and where they are few."""
MANY = 16
RESOLUTION = 150
OUTLINE, WRONG = "#111111", "#b8480f"
RUN = re.compile(r"M(\S+) ([^HV]+)([HV])([^M]+)")
"""A straight run of an outline: from a point to another x or y."""


@dataclass(frozen=True)
class Wall:
    """What is drawn: images, and by method their maps."""

    photos: list[Photo]
    strips: list[Strip]
    signs: dict[str, str]


def plan(subject: Subject) -> Plan:
    """The heatmaps of a task, by the judge of attribution."""
    task = subject.task
    name, title = f"{task.key}-heatmaps.png", f"{task.key}: heatmaps by {explainer_words(JUDGE)}"
    gallery = read_gallery(subject.results.folder, task)
    if gallery is None:
        return absent(name, title, "no method of the task has a file in gallery/")
    if JUDGE not in gallery.explainers:
        return absent(name, title, f"gallery/ holds no maps of {explainer_words(JUDGE)}")
    wall, reasons = _wall(subject, gallery)
    if not wall.strips:
        return absent(name, title, "no method has a map that is defined" + left_out(reasons).rstrip("."))
    held = len(gallery.photos)
    some = f"the first {len(wall.photos)} of {held}" if held > len(wall.photos) else f"{held}"
    signs = signs_told(wall.signs.values())
    caption = (
        f"Heatmaps by {explainer_words(JUDGE)}: one iid test image of each of {some} classes a row, one method a "
        "column, the first seed. Images were not chosen by hand: each is the first of its class in a seeded draw. "
        "Line: the mask; orange speaks for the class, blue against it; each map has its own scale; a number is the "
        "class answered where wrong. One seed and image a class illustrate, the tables measure."
        + (f" {signs}." if signs else "")
        + left_out(reasons)
    )
    alt = "; ".join(_told(strip, wall.signs[strip.method]) for strip in wall.strips) + "."
    return Plan(name, title, caption, alt, partial(paint, wall, title))


def _wall(subject: Subject, gallery: Gallery) -> tuple[Wall, dict[str, str]]:
    strips = {strip.method: strip for strip in gallery.explainers[JUDGE]}
    shown, reasons = [], {}
    for method in subject.methods:
        strip = strips[method]
        if strip.reason:
            key = f"{subject.run(method).cell.key}.npz"
            reasons[method] = (
                "no file in gallery/" if "missing" in strip.reason else strip.reason.replace(key, "its file")
            )
        elif all(tile.uri is None for tile in strip.tiles):
            reasons[method] = "its maps are not defined"
        else:
            shown.append(strip)
    signs = {strip.method: subject.sign(strip.method, JUDGE) for strip in shown}
    return Wall(gallery.photos[:MOST], shown, signs), reasons


def _told(strip: Strip, sign: str) -> str:
    tiles = strip.tiles[:MOST]
    right = sum(tile.right for tile in tiles)
    shares = ", ".join(tile.outside for tile in tiles)
    return f"{strip.method}{sign}: {right} of {len(tiles)} right; share of relevance outside the mask {shares}"


def decode(uri: str) -> NDArray[np.uint8]:
    """``[H, W, 3]`` of a picture that the report made."""
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))


def segments(outline: str) -> list[list[tuple[float, float]]]:
    """The runs of an outline in a unit square, y downwards."""
    found = []
    for x, y, way, end in RUN.findall(outline):
        start = float(x), float(y)
        found.append([start, (float(end), start[1]) if way == "H" else (start[0], float(end))])
    return found


def paint(wall: Wall, title: str) -> Figure:
    """One axes: pictures at whole places, ``column`` to the right and ``row`` down."""
    rows, columns = len(wall.photos), 1 + len(wall.strips)
    inch = INCH[columns > MANY]
    step = TILE + GAP
    longest = max(
        text_size(name, 7.5)[0] for name in ["image", *(s.method + wall.signs[s.method] for s in wall.strips)]
    )
    head = 0.35 + longest / DPI + 0.15
    width, height = 0.75 + columns * step * inch + 0.3, head + rows * step * inch + 0.25
    width = max(width, 5.2)
    figure = paper(width, height, title)
    axes = frame(figure, 0.75, 0.2, width - 0.75 - columns * step * inch, head)
    axes.set(xlim=(0, columns * step), ylim=(rows * step, 0))
    axes.axis("off")
    for j, name in enumerate(["image", *(s.method + wall.signs[s.method] for s in wall.strips)]):
        axes.text(
            j * step + 0.5,
            -0.12,
            name,
            rotation=90,
            fontsize=7.5,
            ha="center",
            va="bottom",
            fontweight="bold" if not j else "normal",
        )
    for i, photo in enumerate(wall.photos):
        lines = np.array(segments(photo.outline)).reshape(-1, 2, 2)
        axes.text(-0.15, i * step + 0.5, f"class {photo.label}", ha="right", va="center", fontsize=7.5)
        _tile(axes, 0, i, decode(photo.uri), lines, "#e69f00")
        for j, strip in enumerate(wall.strips, 1):
            tile = strip.tiles[i]
            _tile(axes, j, i, None if tile.uri is None else decode(tile.uri), lines, OUTLINE)
            if not tile.right:
                axes.text(
                    j * step + 0.97,
                    i * step + 0.985,
                    f"{tile.predicted}",
                    ha="right",
                    va="bottom",
                    fontsize=6.5,
                    color=WRONG,
                    fontweight="bold",
                    label=f"{strip.method} {i} wrong",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
                )
    return figure


def _tile(
    axes: Axes, column: int, row: int, picture: NDArray[np.uint8] | None, lines: NDArray[np.float64], colour: str
) -> None:
    x, y = column * (TILE + GAP), row * (TILE + GAP)
    if picture is None:
        axes.text(x + 0.5, y + 0.5, "none", ha="center", va="center", fontsize=6.5, color=MUTED)
    else:
        axes.imshow(
            picture,
            extent=(x, x + TILE, y + TILE, y),
            interpolation="nearest",
            aspect="auto",
            zorder=1,
            label=f"tile {column} {row}",
        )
        axes.add_collection(
            LineCollection(lines + np.array([x, y]), colors=colour, linewidths=0.45, zorder=2), autolim=False
        )
    edge = INK if column == 0 else GRID
    axes.plot([x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y], color=edge, linewidth=0.5, zorder=3)
