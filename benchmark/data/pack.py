"""One HDF5 file a data set: groups of equally long columns, checked when written and when read.

A pack has the group ``images``; a biased pack has one group a subset (``train``, ``val`` and the test variants), each
with two more columns, ``mark`` and ``code``. Provenance is in the file's attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmark.api import Images
from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path

Columns = Mapping[str, NDArray[Any]]
SPLITS = ("train", "val", "test")

DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError)
"""What h5py raises on bytes that are not its own."""


def check_images(images: Images, where: str) -> None:
    """Refuses images, masks and labels that no method could be trained on honestly.

    Raises:
        BenchmarkError: Naming the first image that breaks a rule, the value, and the rule.
    """
    n = len(images)
    if n == 0:
        raise BenchmarkError(f"{where} holds no images", do="Check the data set's split and manifest.")
    for name in images.__dataclass_fields__:
        found = len(getattr(images, name))
        if found != n:
            raise BenchmarkError(f"column {name!r} of {where}", got=f"{found} rows", expected=f"{n} rows")
    if images.image.dtype != np.uint8 or images.image.ndim != 4:
        kind = f"{images.image.dtype} {images.image.shape}"
        raise BenchmarkError(f"images of {where}", got=kind, expected="uint8 [N, H, W, C]")
    if images.mask.shape != images.image.shape[:3]:
        raise BenchmarkError(
            f"masks of {where} have another size than the images",
            got=images.mask.shape[1:],
            expected=str(images.image.shape[1:3]),
            do="Resize the masks with nearest-neighbour interpolation.",
        )
    values = images.mask.reshape(n, -1)
    for rule, bad, do in (
        ("values 0 and 1 only", ((values != 0) & (values != 1)).any(axis=1), "Threshold the mask."),
        ("at least one foreground pixel", ~values.any(axis=1), "Remove the image or draw its mask."),
        ("at least one background pixel", values.all(axis=1), "Remove the image or draw its mask."),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise BenchmarkError(
                f"mask of image {str(images.id[row])!r} in {where}",
                got=f"values {np.unique(values[row]).tolist()[:5]}",
                expected=rule,
                do=do,
            )
    if len(np.unique(images.id)) != n:
        raise BenchmarkError(f"ids of {where}", expected="unique names", do="Rename the doubles in the manifest.")
    if images.label.dtype.kind not in "iu" or images.label.min() < 0:
        got = f"{images.label.dtype} from {images.label.min()}"
        raise BenchmarkError(f"labels of {where}", got=got, expected="whole numbers, class indices from 0")
    if unknown := sorted(set(images.split.tolist()) - set(SPLITS)):
        raise BenchmarkError(f"split of {where}", got=unknown[0], expected=", ".join(SPLITS), do="Mend the manifest.")


def check_units(images: Images, where: str) -> None:
    """Refuses a unit (patient) that appears in two splits: its images would leak.

    Raises:
        BenchmarkError: Naming the unit and its splits.
    """
    home: dict[str, str] = {}
    for unit, split in zip(images.unit.tolist(), images.split.tolist(), strict=True):
        if home.setdefault(unit, split) != split:
            raise BenchmarkError(
                f"unit {unit!r} of {where} is in two splits",
                got=f"{home[unit]} and {split}",
                expected="all images of a unit in one split",
                do="Split by unit (patient), not by image.",
            )


def write_columns(path: Path, groups: Mapping[str, Columns], attributes: Mapping[str, Any]) -> None:
    """Writes named groups of columns, atomically; equal content gives equal bytes."""
    with atomic_path(path) as fresh, h5py.File(fresh, "w", track_order=True) as file:
        file.attrs.update({name: attributes[name] for name in sorted(attributes)})
        for group, columns in groups.items():
            for name, values in columns.items():
                data = to_bytes(values) if values.dtype.kind == "U" else values
                file.create_dataset(
                    f"{group}/{name}", data=data, compression="gzip", fletcher32=True, track_times=False
                )


def to_bytes(text: NDArray[np.str_]) -> NDArray[np.bytes_]:
    """UTF-8, in fields as wide as the text's own: a part of a column is stored as the whole column is."""
    encoded = np.char.encode(text, "utf-8")
    return encoded.astype(f"S{max(encoded.itemsize, text.itemsize // 4)}")


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A pack, open for reading.

    Raises:
        BenchmarkError: If the file is missing, is no HDF5 file or is cut short.
    """
    if not path.is_file():
        raise BenchmarkError(f"pack {path} is missing", do="Run `dvc repro`: an earlier stage makes it.")
    try:
        with h5py.File(path, "r") as file:
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


def groups(path: Path) -> list[str]:
    """The names of a pack's groups."""
    with opened(path) as file:
        return sorted(file)


def read_columns(path: Path, group: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Reads one group and the file's attributes.

    Raises:
        BenchmarkError: If the file cannot be read or lacks the group.
    """
    with opened(path) as file:
        if group not in file:
            raise BenchmarkError(f"pack {path} lacks the group {group!r}", got=sorted(file), expected=group)
        columns = {name: np.asarray(data[()]) for name, data in file[group].items()}
        attributes = dict(file.attrs)
        text = {name: np.char.decode(values, "utf-8") for name, values in columns.items() if values.dtype.kind == "S"}
    return columns | text, attributes


def write_pack(path: Path, images: Images, attributes: Mapping[str, Any]) -> None:
    """Checks a data set and writes it."""
    check_images(images, path.name)
    check_units(images, path.name)
    write_columns(path, {"images": vars(images)}, attributes)


def read_pack(path: Path) -> tuple[Images, dict[str, Any]]:
    """Reads a data set, checked again: what comes from a disk is not trusted."""
    columns, attributes = read_columns(path, "images")
    images = images_from(columns, path.name)
    check_images(images, path.name)
    check_units(images, path.name)
    return images, attributes


def images_from(columns: Columns, where: str) -> Images:
    """The columns that make :class:`Images`.

    Raises:
        BenchmarkError: If one is missing.
    """
    missing = sorted(Images.__dataclass_fields__.keys() - columns.keys())
    if missing:
        raise BenchmarkError(
            f"{where} lacks columns", got=sorted(map(str, columns)), expected=f"also {', '.join(missing)}"
        )
    return Images(**{name: columns[name] for name in Images.__dataclass_fields__})
