"""Writes packs block by block, so that no more than a block of images is in memory. See :mod:`benchmark.data.pack`."""

from __future__ import annotations

import errno
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmark.api import SPLITS, Index, UInt8
from benchmark.data.pack import IMAGES, Columns
from benchmark.data.rules import check_index, check_pixels, check_units
from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path

CHUNK = 2**20
"""Bytes of images that are compressed together."""
SPARE = 2**23
"""Bytes of a disk that stay free: what HDF5 writes beside the columns, and what waits in its caches, is less."""


class Group:
    """A group that is filled from the front, in whole chunks; equal content gives equal bytes.

    Text waits for the last row: how wide its fields must be is known only then.

    Args:
        file: Open for writing.
        name: Of the group.
        rows: How many there will be.
    """

    def __init__(self, file: h5py.File, name: str, rows: int) -> None:
        self.parent, self.rows, self.done = file.create_group(name, track_order=True), rows, 0
        self.waiting: dict[str, list[NDArray[Any]]] = {}

    def append(self, columns: Columns) -> None:
        """Adds rows; pixel columns are written as their chunks fill up."""
        self._require_space(columns)
        self.done += len(next(iter(columns.values())))
        last = self.done == self.rows
        for name, values in columns.items():
            waiting = self.waiting.setdefault(name, [])
            waiting.append(values)
            if values.dtype.kind != "U":
                self._write(name, last=last)
            elif last:
                self.waiting[name] = [np.char.encode(np.concatenate(waiting), "utf-8")]
                self._write(name, last=True)

    def _require_space(self, columns: Columns) -> None:
        """Stops before the disk is full: HDF5 loses that error where it closes a column, and crashes later."""
        waiting = [*columns.values(), *(values for parts in self.waiting.values() for values in parts)]
        where = Path(self.parent.file.filename).parent
        if shutil.disk_usage(where).free < SPARE + sum(values.nbytes for values in waiting):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where))

    def _write(self, name: str, *, last: bool) -> None:
        waiting = self.waiting[name]
        dataset = self.parent[name] if name in self.parent else self._create(name, waiting[0])
        count = sum(map(len, waiting))
        full = count if last else count - count % dataset.chunks[0]
        if full:
            data = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
            start = self.done - count
            dataset[start : start + full] = data[:full]
            self.waiting[name] = [data[full:].copy()] if full < count else []  # a view would keep the whole block

    def _create(self, name: str, first: NDArray[Any]) -> h5py.Dataset:
        chunk = max(1, min(self.rows, CHUNK // max(1, first[:1].nbytes)))
        return self.parent.create_dataset(
            name,
            shape=(self.rows, *first.shape[1:]),
            dtype=first.dtype,
            chunks=(chunk, *first.shape[1:]),
            compression="lzf" if shrinks(first[:chunk]) else None,
            fletcher32=True,
            track_times=False,
        )


def shrinks(chunk: NDArray[Any]) -> bool:
    """Whether compression halves a chunk: digits and masks yes, photographs no, which would only be read slower."""
    raw = np.ascontiguousarray(chunk).tobytes()
    return len(zlib.compress(raw, 1)) < len(raw) / 2


@contextmanager
def created(path: Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """A new pack, open for writing, that takes its name when the block succeeds."""
    with atomic_path(path) as fresh, h5py.File(fresh, "w", track_order=True) as file:
        try:
            file.attrs.update({name: attributes[name] for name in sorted(attributes)})
            yield file
            file.flush()
        except BaseException:
            os.truncate(fresh, 0)  # frees its space: on a full disk HDF5 crashes as it closes what it could not write
            raise


def write_columns(path: Path, groups: Mapping[str, Columns], attributes: Mapping[str, Any]) -> None:
    """Writes named groups of columns that are in memory, atomically."""
    with created(path, attributes) as file:
        for name, columns in groups.items():
            Group(file, name, len(next(iter(columns.values())))).append(columns)


def write_pack(path: Path, index: Index, pixels: Iterable[tuple[UInt8, UInt8]], attributes: Mapping[str, Any]) -> None:
    """Checks a data set and writes it, in the order given.

    Args:
        path: The pack.
        index: Ordered by split, as :func:`by_split` says.
        pixels: Blocks of images and masks, which together are the index's.
        attributes: Provenance.

    Raises:
        BenchmarkError: If anything breaks a rule of :func:`check_index`, :func:`check_units` or :func:`check_pixels`.
    """
    check_index(index, path.name)
    check_units(index, path.name)
    if not np.array_equal(by_split(index), np.arange(len(index))):
        raise BenchmarkError(f"rows of {path.name}", got="splits that alternate", expected=f"in order: {SPLITS}")
    start, shape = 0, None
    with created(path, attributes) as file:
        group = Group(file, IMAGES, len(index))
        for image, mask in pixels:
            if len(image) == 0:
                raise BenchmarkError(f"a block of {path.name}", got="no image", expected="at least one")
            rows = slice(start, start + len(image))
            check_pixels(image, mask, index.id[rows], path.name)
            if mask.dtype != np.uint8:
                raise BenchmarkError(f"masks of {path.name}", got=str(mask.dtype), expected="uint8, 0 and 1")
            if (shape := shape or image.shape[1:]) != image.shape[1:]:
                raise BenchmarkError(
                    f"images of {path.name} from row {start}", got=image.shape[1:], expected=str(shape)
                )
            group.append({"image": image, "mask": mask, **index.take(rows).columns()})
            start += len(image)
        if start != len(index):
            raise BenchmarkError(f"images of {path.name}", got=f"{start} rows", expected=f"{len(index)} rows")


def by_split(index: Index) -> NDArray[np.int64]:
    """The rows of an index, one split after the other, else in their order."""
    place = {name: number for number, name in enumerate(SPLITS)}
    return np.argsort([place[name] for name in index.split.tolist()], kind="stable").astype(np.int64)
