"""One HDF5 file a data set: groups of equally long columns, checked when written and when read.

A pack has the group ``images``, ordered by split, so that one split is read without the others; a biased pack has one
group a subset (``train``, ``val`` and the test variants), each with two more columns, ``mark`` and ``code``. Both are
written block by block: no more than a block is in memory. Provenance is in the file's attributes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmark.api import Images, Index, UInt8
from benchmark.data.rules import check_images, check_index, check_pixels, check_units
from benchmark.errors import BenchmarkError

Columns = Mapping[str, NDArray[Any]]

IMAGES = "images"
PIXELS = ("image", "mask")
"""The columns that are read by rows and never needed all at once."""

BLOCK = 2**26
"""Bytes of images that are in memory at once."""

DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, MemoryError)
"""What h5py raises on bytes that are not its own."""

KINDS = "biufS"
"""Types of columns: numbers, and text of one width. What HDF5 keeps elsewhere (objects, references) is none of ours."""

MOST_GAIN = 1100
"""A column that claims to hold more than so many times the file's bytes is a bomb: LZF shrinks by less than 100."""


_plain: set[tuple[str, int, int, int]] = set()
"""Packs that were looked at, as they were then."""


def block_rows(row: int) -> int:
    """How many rows of so many bytes make a block."""
    return max(1, BLOCK // max(1, row))


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A pack, open for reading.

    Raises:
        BenchmarkError: If the file is missing, is no HDF5 file, is cut short or leads out of itself.
    """
    if not path.is_file():
        raise BenchmarkError(f"pack {path} is missing", do="Run `dvc repro`: an earlier stage makes it.")
    try:
        with h5py.File(path, "r") as file:
            state = path.stat()
            seen = str(path.absolute()), state.st_ino, state.st_size, state.st_mtime_ns
            if seen not in _plain:  # a look at every column takes longer than reading a row
                check_plain(file, path)
                _plain.add(seen)
            yield file
    except BenchmarkError:
        raise
    except DAMAGE as error:
        raise BenchmarkError(
            f"pack {path} is corrupt",
            got=str(error),
            expected="a whole HDF5 file",
            do="Delete it and run `dvc repro`: it is made again.",
        ) from error


def check_plain(file: h5py.File, path: Path) -> None:
    """Refuses what HDF5 can do and a pack never does: read other files (links, external and virtual columns), or bombs.

    Raises:
        BenchmarkError: Naming the group or column.
    """
    most = MOST_GAIN * path.stat().st_size
    for group in file:
        _refuse_unless(type(file.get(group, getlink=True)) is h5py.HardLink, path, group, "a link")
        _refuse_unless(isinstance(file[group], h5py.Group), path, group, "no group")
        for name in file[group]:
            what = f"{group}/{name}"
            _refuse_unless(type(file[group].get(name, getlink=True)) is h5py.HardLink, path, what, "a link")
            column = file[group][name]
            _refuse_unless(isinstance(column, h5py.Dataset), path, what, "no column")
            _refuse_unless(not column.is_virtual and not column.external, path, what, "kept in another file")
            _refuse_unless(column.dtype.kind in KINDS and column.shape, path, what, f"{column.dtype} {column.shape}")
            _refuse_unless(column.nbytes <= most, path, what, f"{column.nbytes} bytes in a file of {most // MOST_GAIN}")


def _refuse_unless(plain: object, path: Path, what: str, got: str) -> None:
    if not plain:
        raise BenchmarkError(
            f"{what!r} of pack {path} is not what a pack holds",
            got=got,
            expected="groups of columns of numbers and text, in the file itself",
            do="Do not use it; delete it and run `dvc repro`: it is made again.",
        )


def groups(path: Path) -> list[str]:
    """The names of a pack's groups."""
    with opened(path) as file:
        return sorted(file)


def read_attributes(path: Path) -> dict[str, Any]:
    """The attributes of a pack."""
    with opened(path) as file:
        return dict(file.attrs)


def read_columns(
    path: Path, group: str, names: Iterable[str] | None = None, rows: slice = slice(None)
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Reads one group and the file's attributes.

    Args:
        path: The pack.
        group: Its group.
        names: Columns to read (default: all).
        rows: Rows to read (default: all).

    Raises:
        BenchmarkError: If the file cannot be read, or lacks the group or a column.
    """
    with opened(path) as file:
        if group not in file:
            raise BenchmarkError(f"pack {path} lacks the group {group!r}", got=sorted(file), expected=group)
        chosen = list(file[group]) if names is None else list(names)
        if missing := [name for name in chosen if name not in file[group]]:
            found = ", ".join(sorted(file[group]))
            raise BenchmarkError(f"{path.name}/{group} lacks columns", got=found, expected=f"also {', '.join(missing)}")
        columns = {name: np.asarray(file[group][name][rows]) for name in chosen}
        attributes = dict(file.attrs)
        text = {name: np.char.decode(values, "utf-8") for name, values in columns.items() if values.dtype.kind == "S"}
    return columns | text, attributes


def names_of(kind: type[Index]) -> list[str]:
    """The columns that make an :class:`Index` or :class:`Images`."""
    return [field.name for field in fields(kind)]


def read_index(path: Path) -> Index:
    """What a pack knows beside the pixels, checked: what comes from a disk is not trusted."""
    columns, _ = read_columns(path, IMAGES, names_of(Index))
    index = Index(**columns)
    check_index(index, path.name)
    check_units(index, path.name)
    return index


def read_pack(path: Path) -> tuple[Images, dict[str, Any]]:
    """Reads a whole data set, checked."""
    columns, attributes = read_columns(path, IMAGES)
    images = images_from(columns, path.name)
    check_images(images, path.name)
    check_units(images, path.name)
    return images, attributes


def read_blocks(path: Path, index: Index, rows: slice) -> Iterator[tuple[slice, UInt8, UInt8]]:
    """Images and masks of neighbouring rows of a pack, block by block, each checked."""
    with opened(path) as file:
        images = file[IMAGES]["image"]
        size = block_rows(int(np.prod(images.shape[1:])))
        for start in range(rows.start, rows.stop, size):
            block = slice(start, min(start + size, rows.stop))
            image, mask = (np.asarray(file[IMAGES][name][block]) for name in PIXELS)
            check_pixels(image, mask, index.id[block], path.name)
            yield block, image, mask


def images_from(columns: Columns, where: str) -> Images:
    """The columns that make :class:`Images`.

    Raises:
        BenchmarkError: If one is missing.
    """
    wanted = names_of(Images)
    if missing := sorted(set(wanted) - columns.keys()):
        raise BenchmarkError(
            f"{where} lacks columns", got=sorted(map(str, columns)), expected=f"also {', '.join(missing)}"
        )
    return Images(**{name: columns[name] for name in wanted})


def class_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a pack's classes; empty where they have none."""
    return tuple(json.loads(str(attributes.get("classes", "[]"))))
