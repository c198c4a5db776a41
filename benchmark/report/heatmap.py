"""Heatmaps as pictures: colours, the outline of the mask, and the share of relevance outside it.

Colour of a pixel: ``t = clip(R / q, -1, 1)`` with ``q`` the 99th percentile of ``|R|`` of that map; ``t = 0`` is
white, so colours compare places inside one map, never sizes between maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.report.png import UInt8, data_uri, encode

LARGEST = 160
"""Longest side of a picture in pixels: larger images are averaged down, so that the page stays small."""

STOPS = ((-1.0, 16, 62, 128), (-0.5, 112, 160, 214), (0.0, 255, 255, 255), (0.5, 238, 152, 94), (1.0, 150, 46, 4))
"""``t``, red, green, blue: blue to white to orange, which colour-blind readers tell apart."""


def _palette() -> UInt8:
    at = np.linspace(-1, 1, 255)
    stops = np.array(STOPS)
    return np.stack([np.interp(at, stops[:, 0], stops[:, i]) for i in (1, 2, 3)], axis=1).round().astype(np.uint8)


PALETTE = _palette()


def shrink(array: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Averages ``[H, W, ...]`` over blocks so that no side is longer than :data:`LARGEST`."""
    step = -(-max(array.shape[:2]) // LARGEST)
    out = array.astype(np.float64)
    if step == 1:
        return out
    for axis in (0, 1):
        starts = np.arange(0, array.shape[axis], step)
        counts = np.diff(np.append(starts, array.shape[axis]))
        shape = [1] * out.ndim
        shape[axis] = -1
        out = np.add.reduceat(out, starts, axis=axis) / counts.reshape(shape)
    return out


def photo(image: UInt8) -> str:
    """``[H, W, C]`` with one or three channels as a data URI."""
    small = shrink(image).round().astype(np.uint8)
    return data_uri(encode(small[..., 0] if small.shape[-1] == 1 else small))


def relevance(heat: NDArray[Any]) -> str | None:
    """``[H, W]`` signed relevance as a data URI; ``None`` for a map that is zero or not finite everywhere."""
    small = shrink(heat)
    if not np.isfinite(small).all() or not small.any():
        return None
    top = np.percentile(np.abs(small), 99) or np.abs(small).max()
    index = np.rint(np.clip(small / top, -1, 1) * 127 + 127).astype(np.uint8)
    return data_uri(encode(index, PALETTE))


def background_share(heat: NDArray[Any], mask: UInt8) -> float | None:
    """``sum |R| (1 - M) / sum |R|`` of ``[H, W]`` maps.

    ``None`` where the sum is 0 or not finite, or the mask has no foreground or no background.
    """
    if mask.all() or not mask.any():
        return None
    size = np.abs(heat.astype(np.float64))
    total = size.sum()
    return float(size[mask == 0].sum() / total) if np.isfinite(total) and total > 0 else None


def outline(mask: UInt8) -> str:
    """The border of ``[H, W]`` as an SVG path in a unit square: straight runs along pixel edges."""
    small = shrink(mask) >= 0.5
    height, width = small.shape
    rows = np.diff(np.pad(small, ((1, 1), (0, 0))).astype(np.int8), axis=0) != 0
    columns = np.diff(np.pad(small, ((0, 0), (1, 1))).astype(np.int8), axis=1) != 0
    parts = [f"M{a / width:.4g} {y / height:.4g}H{b / width:.4g}" for y, a, b in _runs(rows)]
    parts += [f"M{x / width:.4g} {a / height:.4g}V{b / height:.4g}" for x, a, b in _runs(columns.T)]
    return "".join(parts)


def _runs(edges: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Line, start and end of every run of true values along the second axis."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, start = np.nonzero(steps == 1)
    end = np.nonzero(steps == -1)[1]
    return list(zip(line.tolist(), start.tolist(), end.tolist(), strict=True))
