"""What a person looks at before trusting a bias: a row per image, and a picture per class and variant."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmark.api import VARIANTS
from benchmark.files import atomic_path
from benchmark.inject import NO_CODE, Subset

MANIFEST = ("subset", "id", "unit", "source", "label", "code", "mark_row", "mark_column", "mark_px", "foreground_px")


def manifest_rows(subsets: Mapping[str, Subset]) -> Iterator[dict[str, Any]]:
    """One row an image: its class, its mark's code, and where the mark begins (empty without a mark)."""
    for name, subset in subsets.items():
        images = subset.images
        for row in range(len(images)):
            where = np.argwhere(subset.mark[row])
            corner = where.min(axis=0).tolist() if len(where) else ("", "")
            yield {
                "subset": name,
                "id": images.id[row],
                "unit": images.unit[row],
                "source": images.source[row],
                "label": int(images.label[row]),
                "code": "" if subset.code[row] == NO_CODE else int(subset.code[row]),
                "mark_row": corner[0],
                "mark_column": corner[1],
                "mark_px": len(where),
                "foreground_px": int(images.mask[row].sum()),
            }


def write_manifest(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Writes the rows as CSV, atomically."""
    with atomic_path(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=MANIFEST, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw_sheet(path: Path, subsets: Mapping[str, Subset]) -> None:
    """A contact sheet as PNG: one column a class, one row a variant, the same test image down each column.

    The mask's outline is drawn, and a ring around the mark, which is easy to miss: that is the point of it.
    """
    variants = [name for name in VARIANTS if name in subsets]
    first = subsets[variants[0]]
    classes = np.unique(first.images.label)
    columns = [int(np.flatnonzero(first.images.label == k)[0]) for k in classes]
    width, height = 0.96 * len(columns) + 0.3, 1.12 * len(variants) + 0.3  # inches: an image and its mark's name
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(variants), len(columns), squeeze=False)
    figure.subplots_adjust(left=0.3 / width, right=0.995, bottom=0.21 / height, top=1 - 0.28 / height, hspace=0.2)
    for line, variant in zip(grid, variants, strict=True):
        subset = subsets[variant]
        for axes, row in zip(line, columns, strict=True):
            draw_example(axes, subset, row)
        line[0].set_ylabel(variant, fontsize=9)
    for axes, k in zip(grid[0], classes, strict=True):
        axes.set_title(f"class {k}", fontsize=8)
    with atomic_path(path) as fresh:
        figure.savefig(fresh, format="png", metadata={"Software": None})


def draw_example(axes: Any, subset: Subset, row: int) -> None:
    """One image with its mask's outline and a ring around its mark."""
    image, mask, mark = subset.images.image[row], subset.images.mask[row], subset.mark[row]
    axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
    axes.contour(mask, levels=[0.5], colors="#e69f00", linewidths=0.7)
    if mark.any():
        y, x = np.argwhere(mark).mean(axis=0)
        axes.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor="#56b4e9", clip_on=False)
        axes.set_xlabel(f"mark {subset.code[row]}", fontsize=7, labelpad=4)
    else:
        axes.set_xlabel("no mark", fontsize=7, labelpad=4)
    axes.set_xticks([])
    axes.set_yticks([])
