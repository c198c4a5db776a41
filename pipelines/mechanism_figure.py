"""mechanism.svg: logit, background relevance and switched-off units along the path, of a hacked model and its twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmark.files import atomic_path
from benchmark.pathwise import ALL_LAYERS
from pipelines.plot_style import INK, settings

Row = Mapping[str, Any]
COLOURS = ("#b8480f", "#1f5fa8")
"""The hacked model, its twin: told apart by line style, too."""

STYLES = ("-", "--")
PANELS = (
    ("label_logit", "", "label logit"),
    ("background_relevance", "", "background relevance\n(LRP-ε of that logit)"),
    ("switched_off", "last", "units switched off,\nlast ReLU layer"),
    ("switched_off", ALL_LAYERS, "units switched off,\nall ReLU layers"),
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws the rows of mechanism.csv: the first model is the hacked one, the second its twin."""
    models = list(dict.fromkeys((row["method"], row["seed"]) for row in rows))
    layers = list(dict.fromkeys(row["layer"] for row in rows if row["quantity"] == "switched_off"))
    last = [name for name in layers if name != ALL_LAYERS][-1]
    with mpl.rc_context(settings("mechanism", 9)):
        figure = Figure(figsize=(9.2, 6.2), layout="constrained")
        for axes, (quantity, layer, label) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            for model, colour, style in zip(models, COLOURS, STYLES, strict=True):
                chosen = [
                    row
                    for row in rows
                    if (row["method"], row["seed"]) == model
                    and (row["quantity"], row["layer"]) == (quantity, last if layer == "last" else layer)
                ]
                alpha, value, low, high = (
                    np.array([row[name] for row in chosen], float) for name in ("alpha", "value", "low", "high")
                )
                axes.fill_between(alpha, low, high, color=colour, alpha=0.18, linewidth=0)
                axes.plot(alpha, value, style, color=colour, linewidth=1.8, label=f"{model[0]}, seed {model[1]}")
            axes.set(ylabel=label, xlim=(0, 1), xlabel="alpha: brightness of the background and its mark")
            axes.grid(visible=True, linewidth=0.6)
            axes.axhline(0, color=INK, linewidth=0.6)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
        with atomic_path(path) as fresh:
            figure.savefig(fresh, format="svg", metadata={"Date": None, "Creator": None})
