"""The manifest of a biased pack: a row for every image of every subset, with what was planted into it and where."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import NO_CODE, Floats, Images, Ints, UInt8
from benchmark.files import atomic_path
from benchmark.inject import Look, Subset

COLUMNS = (
    *("subset", "id", "unit", "source", "label", "true_label", "code"),
    *("mark_row", "mark_column", "mark_height", "mark_width", "mark_px", "mark_change", "foreground_px"),
)


def boxes(mark: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Top, left, height and width of the smallest box around each mark, ``[N, 4]``; zeros without a mark."""
    found = []
    for axis in (2, 1):
        line: NDArray[np.bool_] = np.any(mark, axis=axis)
        first = line.argmax(axis=1)
        length = np.where(line.any(axis=1), line.shape[1] - line[:, ::-1].argmax(axis=1) - first, 0)
        found.append((first, length))
    (top, height), (left, width) = found
    return np.stack([top, left, height, width], axis=1)


PIXELS = 1 << 22
"""Pixels whose change is worked out at once."""


def changes(before: UInt8, after: UInt8, mark: NDArray[np.bool_]) -> Floats:
    """How far the pixels of each mark moved on average, in full brightnesses, ``[N]``; NaN without a mark."""
    mean = np.full(len(mark), np.nan)
    step = max(1, PIXELS // mark[0].size)
    for start in range(0, len(mark), step):
        part = slice(start, start + step)
        row, down, along = np.nonzero(mark[part])
        moved = np.abs(after[part][row, down, along].astype(np.int16) - before[part][row, down, along]).mean(axis=-1)
        count = np.bincount(row, minlength=len(mark[part]))
        total = np.bincount(row, moved, len(count))
        np.divide(total, count * 255, out=mean[part], where=count > 0)
    return mean


def rows(name: str, subset: Subset, before: Images, places: Ints) -> Iterator[tuple[Any, ...]]:
    """A row for each image of a subset, in the order of :data:`COLUMNS`.

    Args:
        name: Of the subset.
        subset: Images with their marks.
        before: Images without, as they lie in the data set.
        places: ``[N]`` the row of ``before`` that each image of the subset was.
    """
    images, mark = subset.images, subset.mark != 0
    size = mark.sum(axis=(1, 2))
    change = changes(before.image[places], images.image, mark)
    box = boxes(mark).T.tolist()
    return zip(
        [name] * len(images),
        *(column.tolist() for column in (images.id, images.unit, images.source, images.label, before.label[places])),
        empty_unless(subset.code != NO_CODE, subset.code.tolist()),
        *(empty_unless(size > 0, column) for column in box),
        size.tolist(),
        empty_unless(size > 0, np.round(change, 4).tolist()),
        images.mask.sum(axis=(1, 2), dtype=np.int64).tolist(),
        strict=True,
    )


def empty_unless(known: NDArray[np.bool_], values: list[Any]) -> list[Any]:
    """The values, with an empty field where there is none."""
    return [value if there else "" for there, value in zip(known.tolist(), values, strict=True)]


@contextmanager
def listing(path: Path) -> Iterator[Look]:
    """Writes the manifest, atomically, from the parts of subsets that it is shown."""
    with atomic_path(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)

        def look(name: str, subset: Subset, before: Images, places: Ints) -> None:
            writer.writerows(rows(name, subset, before, places))

        yield look
