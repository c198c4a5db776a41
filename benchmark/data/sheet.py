"""What a person looks at before trusting a bias: a picture for every class and variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmark.api import NO_CODE, VARIANTS, Images, Ints
from benchmark.data.pack import groups, names_of, read_columns
from benchmark.files import atomic_path
from benchmark.inject import Subset

MOST = 12
"""Classes in a picture, the first ones."""

COLUMNS = (*names_of(Images), "mark", "code")


def first_of_classes(label: Ints) -> Ints:
    """The row of the first image of each of the first classes."""
    return np.unique(label, return_index=True)[1][:MOST].astype(np.int64)


def examples(pack: Path) -> dict[str, Subset]:
    """One image of each class in every variant of a biased pack: the same ones where variants show the same images."""
    found: dict[str, Subset] = {}
    rows, ids = np.empty(0, np.int64), np.empty(0, np.str_)
    for variant in (name for name in VARIANTS if name in groups(pack)):
        known, _ = read_columns(pack, variant, ["id", "label"])
        if not np.array_equal(known["id"], ids):
            rows, ids = first_of_classes(known["label"]), known["id"]
        parts = [read_columns(pack, variant, COLUMNS, slice(row, row + 1))[0] for row in rows.tolist()]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
        code, mark = columns.pop("code"), columns.pop("mark")
        found[variant] = Subset(Images(**columns), mark, code)
    return found


def draw_sheet(path: Path, subsets: Mapping[str, Subset], names: Sequence[str] = ()) -> None:
    """A contact sheet as PNG: one row a variant, one column an image.

    The mask's outline is drawn, and a ring around a small mark, which is easy to miss: that is the point of it.

    Args:
        path: The picture.
        subsets: Title of a row to its images, all images of a row shown.
        names: Of the classes.
    """
    most = max(len(subset.code) for subset in subsets.values())
    width, height = 0.96 * most + 0.3, 1.25 * len(subsets) + 0.1  # inches: an image, its class and its mark's name
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(subsets), most, squeeze=False)
    figure.subplots_adjust(left=0.3 / width, right=0.995, bottom=0.2 / height, top=1 - 0.2 / height, hspace=0.32)
    for line, (title, subset) in zip(grid, subsets.items(), strict=True):
        for row, axes in enumerate(line):
            axes.set_xticks([])
            axes.set_yticks([])
            if row < len(subset.code):
                draw_example(axes, subset, row, names)
            else:
                axes.axis("off")
        line[0].set_ylabel(title, fontsize=9)
    with atomic_path(path) as fresh:
        figure.savefig(fresh, format="png", metadata={"Software": None})


def draw_example(axes: Any, subset: Subset, row: int, names: Sequence[str]) -> None:
    """One image with its mask's outline, its class and its mark."""
    image, mask, mark = subset.images.image[row], subset.images.mask[row], subset.mark[row]
    label = int(subset.images.label[row])
    axes.set_title(names[label] if label < len(names) else f"class {label}", fontsize=7, pad=2)
    axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
    axes.contour(mask, levels=[0.5], colors="#e69f00", linewidths=0.7)
    if 0 < mark.mean() < 0.02:
        y, x = np.argwhere(mark).mean(axis=0)
        axes.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor="#56b4e9", clip_on=False)
    marked = mark.any()
    text = (
        f"mark {subset.code[row]}"
        if marked
        else "no mark"
        if subset.code[row] == NO_CODE
        else subset.images.source[row]
    )
    axes.set_xlabel(text, fontsize=7, labelpad=3)
