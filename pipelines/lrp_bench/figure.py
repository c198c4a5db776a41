"""cost.svg: a training step against the number of heatmaps and the image size, and beside its peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.files import atomic_path
from pipelines.lrp_bench.rows import Row
from pipelines.plot_style import INK, settings

MUTED = "#5b6670"
SIZES = {64: ("#1f5fa8", "o"), 128: ("#8a6d00", "s"), 224: ("#b8480f", "D")}
OTHER = (INK, "^")
OURS = ("isnet_eps", "isnet_k8")
LABELS = {
    "isnet_lazy": "ours, every third step",
    "isnet_eps": "ours, ε",
    "isnet_zb": "ours, z$^B$",
    "gradinput": "gradient · input",
    "flex_hooks": "LRP-Flex as hooks",
    "zennit_eps": "zennit, ε",
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws the CPU's step ratios."""
    steps = [row for row in rows if row.quantity == "step_ratio" and row.device == "cpu"]
    with mpl.rc_context(settings("cost", 10) | {"axes.axisbelow": True}):
        figure = Figure(figsize=(9.6, 4.4), layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        by_classes(left, steps)
        by_case(right, steps)
        with atomic_path(path) as fresh:
            figure.savefig(fresh, format="svg", metadata={"Date": None})


def by_classes(axes: Axes, steps: Sequence[Row]) -> None:
    """Ratio over the number of maps, a line an image size, of the network that was measured with most of them."""
    ours = sorted((row for row in steps if row.case in OURS), key=lambda row: row.classes)
    if not ours:
        return
    network = max({row.network for row in ours}, key=lambda name: sum(row.network == name for row in ours))
    counts = sorted({row.classes for row in ours})
    axes.plot(
        counts,
        [1 + count for count in counts],
        color=MUTED,
        linestyle="--",
        linewidth=1.2,
        label="1 + K: the operations",
    )
    for px in sorted({row.px for row in ours}):
        colour, marker = SIZES.get(px, OTHER)
        line = [row for row in ours if (row.network, row.px) == (network, px)]
        x, y = [row.classes for row in line], [row.value for row in line]
        axes.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=1.6, label=f"{px} px")
    axes.set_xticks(counts)
    axes.set_ylim(0)
    axes.set_xlabel("K, explained in one pass")
    axes.set_ylabel("training step ÷ plain step")
    axes.set_title(f"{network}, K heatmaps an image", loc="left", fontsize=10)
    axes.grid(axis="y")
    axes.legend(frameon=False)


def by_case(axes: Axes, steps: Sequence[Row]) -> None:
    """One line a case, one mark a network and image size, one heatmap an image."""
    chosen = [row for row in steps if row.case in LABELS and row.classes == 1]
    cases = [case for case in LABELS if any(row.case == case for row in chosen)]
    places = Counter((row.network, row.px) for row in chosen)
    shown = sorted(place for place in places if places[place] == max(places.values()))
    for number, (network, px) in enumerate(shown):
        colour, marker = SIZES.get(px, OTHER)
        line = [row for row in chosen if (row.network, row.px) == (network, px)]
        shift = 0.14 * (number - (len(shown) - 1) / 2)
        axes.plot(
            [row.value for row in line],
            [cases.index(row.case) + shift for row in line],
            linestyle="",
            color=colour,
            marker=marker,
            fillstyle="full" if network == shown[-1][0] else "none",
            markersize=6,
            label=f"{network}, {px} px",
        )
    axes.axvline(1, color=MUTED, linewidth=1.2)
    axes.axvline(2, color=MUTED, linestyle="--", linewidth=1.2)
    axes.set_yticks(range(len(cases)), [LABELS[case] for case in cases])
    axes.invert_yaxis()
    axes.set_xlim(0)
    axes.set_xlabel("training step ÷ plain step")
    axes.set_title("one heatmap an image; dashed: the operations", loc="left", fontsize=10)
    axes.grid(axis="x")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(-0.1, -0.15), ncols=2)
