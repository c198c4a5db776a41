"""A triangle, circle or square in the background tells the class, as in the ISNet paper.

The paper's first class carries a white triangle, the second a circle, the third a square (its figure 1). More codes are
other regular polygons, stars and other rotations: twelve forms in all, each filled and as large as its box allows. Size
and place are ours.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field

from benchmark.api import Floats
from benchmark.biases.painted import check_different, check_number
from benchmark.biases.placed import Placed

FINE = 8
"""A form is drawn so many times larger, then averaged."""

FORMS: tuple[tuple[int, float, float], ...] = (
    (3, 0, 1),  # triangle
    (64, 0, 1),  # circle
    (4, 45, 1),  # square
    (3, 180, 1),  # triangle on its tip
    (4, 0, 1),  # diamond
    (4, 45, 0.35),  # star with four points
    (5, 0, 0.4),  # star with five points
    (3, 90, 1),  # triangle to the right
    (3, 270, 1),  # triangle to the left
    (4, 0, 0.35),  # star with four points, upright
    (6, 0, 1),  # hexagon
    (5, 180, 0.4),  # star on its head
)
"""Corners, rotation in degrees (clockwise, 0 = a corner on top), radius of the notches (1 = none)."""


def outline(corners: int, turn: float, notch: float) -> Floats:
    """Points ``[P, 2]`` (x, y) of a form that fills the unit square, centred, without distortion."""
    points = corners if notch == 1 else 2 * corners
    angle = np.deg2rad(turn) + 2 * np.pi * np.arange(points) / points
    radius = np.where(np.arange(points) % (points // corners) == 0, 1.0, notch)
    xy = np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=1)
    low, high = xy.min(axis=0), xy.max(axis=0)
    centred: Floats = (xy - (low + high) / 2) / (high - low).max() + 0.5
    return centred


@lru_cache(maxsize=16)
def draw(codes: int, side: int, antialias: bool) -> Floats:
    """Opacity of the first ``codes`` forms in squares of ``side`` px, ``[codes, side, side]``.

    Raises:
        BenchmarkError: If two of them look alike at this size.
    """
    drawn = np.zeros((codes, side, side), np.float32)
    for form, one in zip(FORMS, drawn, strict=False):
        canvas = Image.new("L", (side * FINE, side * FINE))
        points = np.rint(outline(*form) * (side * FINE - 1))  # else a square's last row would be cut
        ImageDraw.Draw(canvas).polygon([tuple(xy) for xy in points.tolist()], fill=255)
        one[:] = np.asarray(canvas, np.float32).reshape(side, FINE, side, FINE).mean(axis=(1, 3)) / 255
    drawn = drawn if antialias else (drawn >= 0.5).astype(np.float32)
    check_different(drawn, "shape", "Make the shape larger (size) or set fewer codes.")
    return drawn


class Shape(Placed):
    """A filled form of one grey level."""

    class Settings(Placed.Settings):
        """The bias's YAML."""

        antialias: bool = Field(True, description="soft edges; false: every pixel is painted fully or not at all")

    settings: Settings
    source = "Bassi et al. 2024, Nature Communications 15, 291 (arXiv 2202.00232)"

    def forms(self, codes: int, height: int) -> Floats:
        check_number(codes, len(FORMS), "shape", "Set codes in the bias's YAML, or use stamp.")
        return draw(codes, height, self.settings.antialias)
