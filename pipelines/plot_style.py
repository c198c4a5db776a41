"""The look that all figures of the pipelines share; equal numbers give equal bytes."""

from __future__ import annotations

from typing import Any

INK, GRID = "#1d2329", "#d8dde2"


def settings(name: str, font_size: int) -> dict[Any, Any]:
    """Matplotlib's settings for the SVG figure ``name``, which seeds the ids inside of it."""
    return {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": font_size,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": GRID,
    }
