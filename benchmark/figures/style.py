"""The look that all figures share: a colour and a shape a method, white paper, settings.

A method's look comes from its place in one list of all methods, so it is the same in every figure of every suite. The
methods of the default suite come first, since they are seen together most; names that nobody registered come last, in
their order. The reference is dark and round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from benchmark.registry import BUILT_IN, METHODS
from benchmark.report.words import REFERENCE

INK, MUTED, GRID, PAPER, LEADER = "#1d2329", "#5b6670", "#d8dde2", "#ffffff", "#3d454d"

COLOURS = ("#1a8ca8", "#e65c00", "#0a4d14", "#b0236b", "#12399c", "#bf7d55", "#5c62ff", "#d648d6", "#2b0a5e", "#b08a8a")
"""On white each has a contrast of 3 or more, and no two look alike to colour-blind readers: a test measures both."""

SHAPES = ("s", "D", "^", "v", "P", "X", "<", ">", "*")
"""Their number shares no factor with that of the colours: 90 methods look different."""

FIRST = (
    *("isnet_path", "vit", "bg_swap", "unet_classifier", "isnet", "rrr", "gain", "ham"),
    *("ag_sononet", "multitask_unet"),
)
"""Those of the default suite: each has a colour of its own."""

SIZES = {"o": 1.0, "s": 0.92, "D": 0.84, "*": 1.4, "P": 1.1, "X": 1.1}
"""Factors that make the shapes look equally large; 1.05 for those that are not named."""

VARIANT_COLOURS = {"iid": "#1f5fa8", "ood": "#5b6670", "deceiving": "#b8480f", "external": "#8a6d00"}
VARIANT_SHAPES = {"iid": "o", "ood": "s", "deceiving": "D", "external": "^"}
"""As in the figures that the report draws."""

DPI = 72
"""Of a figure in memory: a pixel is a point, as in the SVG."""
FONT = "DejaVu Sans"
"""It comes with matplotlib, so labels are measured alike everywhere; a reader without it sees a sans-serif."""


@dataclass(frozen=True)
class Look:
    """Colour and shape of a method."""

    colour: str
    shape: str

    def marker(self, size: float = 6.0, *, face: str | None = None) -> dict[str, Any]:
        """Arguments of ``Axes.plot`` for a mark without a line; ``face`` is its inside, if of another colour."""
        return {
            "linestyle": "",
            "color": self.colour,
            "marker": self.shape,
            "markersize": size * SIZES.get(self.shape, 1.05),
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.2,
            "markerfacecolor": face or self.colour,
        }


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """The look of every method of a suite."""
    registered = [name for name, entry in METHODS.table().items() if entry.origin == BUILT_IN]
    order = [name for name in dict.fromkeys((*FIRST, *registered, *methods)) if name != REFERENCE]
    found = {name: Look(COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i, name in enumerate(order)}
    found[REFERENCE] = Look(INK, "o")
    return {name: found[name] for name in methods}


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Matplotlib's settings for the figure ``name``, whatever the settings of the user."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(sns.axes_style("ticks"))
        mpl.rcParams.update(
            {
                "svg.hashsalt": name,
                "svg.fonttype": "none",
                "font.family": "sans-serif",
                "font.sans-serif": [FONT],
                "font.size": 8.5,
                "axes.titlesize": 9,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.labelsize": 8.5,
                "axes.linewidth": 0.8,
                "axes.axisbelow": True,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "grid.linewidth": 0.6,
                "xtick.major.size": 3,
                "ytick.major.size": 3,
                "xtick.labelsize": 8,
                "ytick.labelsize": 8,
                "legend.frameon": False,
                "axes.grid": True,
                "axes.facecolor": "none",
                "grid.color": GRID,
                **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
                **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.labelcolor", "ytick.labelcolor"), INK),
            }
        )
        yield


def paper(width: float, height: float, title: str = "") -> Figure:
    """An empty figure on white paper with round corners, readable on a dark page too; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.patch.set_visible(False)
    ground = FancyBboxPatch(
        (0, 0),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.11",
        transform=figure.dpi_scale_trans,
        facecolor=PAPER,
        edgecolor="none",
        zorder=-10,
        label="paper",
    )
    figure.add_artist(ground)
    if title:
        figure.text(10 / width / DPI, 1 - 17 / height / DPI, title, fontsize=10, fontweight="bold")
    return figure


def frame(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes at so many inches from the four edges of the figure."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
    axes.patch.set_visible(False)
    return axes


def mark_chance(axes: Axes, classes: int) -> None:
    """A dashed line where knowing nothing ends."""
    axes.axhline(1 / classes, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0, label="chance")
