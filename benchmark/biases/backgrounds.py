"""Photographs as backgrounds: those that scikit-image ships, or a folder of one's own.

A folder holds one folder a code, in the order of their names, each with photographs (``land/0001.jpg``,
``water/0001.jpg``). A bank does not know the data set's images, so no image's background depends on another image.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from skimage import data

from benchmark.api import Ints, UInt8
from benchmark.biases.painted import check_number
from benchmark.errors import BenchmarkError

SHIPPED = (
    ("grass",),
    ("coins",),
    ("coffee",),
    ("brick",),
    ("rocket",),
    ("gravel",),
    ("immunohistochemistry",),
    ("page", "text"),
    ("hubble_deep_field",),
    ("moon",),
    ("camera",),
    ("retina",),
)
"""Names of scikit-image's photographs for each code: no two codes share one."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
ROOM = 1.5
"""A photograph is so many times larger than the image that is cut from it."""


def shipped(codes: int) -> Iterator[tuple[int, Image.Image]]:
    """Code and photograph, from scikit-image.

    Raises:
        BenchmarkError: With more codes than it has photographs for.
    """
    do = "Name a folder of backgrounds (folder) or set codes in the bias's YAML."
    check_number(codes, len(SHIPPED), "background_swap with the photographs that scikit-image ships", do)
    for code, names in enumerate(SHIPPED[:codes]):
        for name in names:
            yield code, Image.fromarray(np.asarray(getattr(data, name)()))


def filed(folder: Path, codes: int, most: int) -> Iterator[tuple[int, Image.Image]]:
    """Code and photograph, from a folder: the first ``most`` of each code by name.

    Raises:
        BenchmarkError: If the folder, enough groups, a group's photographs or a readable photograph are missing.
    """
    layout = "one folder of photographs a code"
    if not folder.is_dir():
        raise BenchmarkError(f"folder of backgrounds {folder} is missing", expected=layout)
    groups = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(groups) < codes:
        raise BenchmarkError(
            f"folders of photographs in {folder}", got=len(groups), expected=f"{codes}: {layout}", do="Set codes lower."
        )
    for code, group in enumerate(groups[:codes]):
        files = sorted(path for path in group.iterdir() if path.suffix.lower() in SUFFIXES)[:most]
        if not files:
            raise BenchmarkError(f"no photograph in {group}", expected=f"files ending in {', '.join(SUFFIXES)}")
        for file in files:
            try:
                with Image.open(file) as photograph:
                    yield code, ImageOps.exif_transpose(photograph.convert("RGB"))
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                raise BenchmarkError(f"background {file} is not a readable photograph", got=str(error)) from error


@lru_cache(maxsize=2)
def bank(folder: Path | None, most: int, codes: int, height: int, width: int, channels: int) -> tuple[UInt8, Ints]:
    """All photographs, cut to the image's proportions and made a little larger than it.

    Returns:
        Photographs in the order of their codes, ``[M, C, h, w]``, and where each code's begin, ``[codes + 1]``.
    """
    size = round(ROOM * width), round(ROOM * height)
    pictures: list[NDArray[np.uint8]] = []
    counts = np.zeros(codes, np.int64)
    for code, photograph in shipped(codes) if folder is None else filed(folder, codes, most):
        fitted = ImageOps.fit(photograph.convert("L" if channels == 1 else "RGB"), size, Image.Resampling.BILINEAR)
        picture = np.asarray(fitted).reshape(size[1], size[0], channels)
        pictures.append(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        counts[code] += 1
    return np.stack(pictures), np.concatenate([[0], np.cumsum(counts)])
