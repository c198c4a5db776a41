"""From the strongest pixel down: what the foreground's share is among the top ``k``, for every ``k``.

``h_k`` = foreground pixels among the ``k`` highest of a map's ``S`` pixels. Equal pixels share their places: ``h_k`` is
the expected count under random tie breaking, so it rises linearly through a tie, and a uniform map has
``h_k = k |M| / S``. Shapes, NaN and errors are those of ``benchmark.metrics.attribution``. The curves rank ``|R|``,
like the masses of which they are the threshold-free form: evidence against a class uses the background, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, UInt8
from benchmark.errors import BenchmarkError
from benchmark.metrics.attribution import Heatmaps
from benchmark.metrics.contract import HeatmapMetric

BLOCK = 2**16
"""Pixels sorted together: what fits into the cache."""


@dataclass(frozen=True)
class Ranked:
    """The pixels of each image by falling value.

    Attributes:
        hits: ``[N, S + 1]`` ``h_0 .. h_S``.
        stop: ``[N, S + 1]`` the number of pixels that are at least as high as the k-th.
        area: ``[N]`` ``|M|``.
        defined: ``[N]`` as in ``Heatmaps``.
    """

    hits: Floats
    stop: NDArray[np.intp]
    area: NDArray[np.intp]
    defined: NDArray[np.bool_]

    @classmethod
    def by(cls, value: Floats, maps: Heatmaps) -> Ranked:
        """Ranks the pixels by ``value [N, H, W]``, for instance ``|R|``."""
        count, pixels = len(value), maps.pixels
        hits, stop = np.zeros((count, pixels + 1)), np.empty((count, pixels + 1), np.intp)
        stop[:] = np.arange(pixels + 1)
        values, inside = value.reshape(count, pixels), maps.inside.reshape(count, pixels)
        step = max(1, BLOCK // pixels)
        for block in (slice(start, start + step) for start in range(0, count, step)):
            order = np.argsort(values[block])[:, ::-1]
            np.cumsum(np.take_along_axis(inside[block], order, 1), axis=1, out=hits[block, 1:])
            ladder = np.take_along_axis(values[block], order, 1)
            new = ladder[:, 1:] != ladder[:, :-1]
            if len(tied := np.flatnonzero(~new.all(1))):
                rows = tied + block.start
                hits[rows], stop[rows] = _shared(hits[rows], new[tied])
        return cls(hits, stop, maps.area, maps.defined)

    def known(self, score: Floats) -> Floats:
        """``score [N, ...]`` with NaN for the images where none is defined."""
        defined = self.defined.reshape(-1, *[1] * (score.ndim - 1))
        return np.where(defined, score, np.nan)

    @property
    def top(self) -> Floats:
        """``[N]`` ``h_k`` at ``k = |M|``."""
        return self.hits[np.arange(len(self.hits)), self.area]


def _shared(hits: Floats, new: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.intp]]:
    """``(h_k with ties shared, end of the tie that holds the k-th pixel)``.

    ``hits [N, S + 1]`` in any order of the tied; ``new [N, S - 1]`` whether the next pixel is lower.
    """
    # All images on one line. Each image's first and last place are edges, so that nothing is shared between images.
    edge = np.flatnonzero(np.pad(new, ((0, 0), (1, 1)), constant_values=True))
    line = np.interp(np.arange(hits.size), edge, hits.ravel()[edge])
    stop = np.repeat(edge % hits.shape[1], np.diff(edge, prepend=-1))
    return line.reshape(hits.shape), stop.reshape(hits.shape)


def background_curve(relevance: Floats, mask: UInt8 | Floats, shares: Floats) -> Floats:
    """Share of background among the top ``p`` of the pixels of ``|R|``: ``1 - h(pS) / (pS)``.

    Between whole numbers of pixels, ``h`` is linear: the last pixel counts in part.

    Args:
        relevance: ``[N, H, W]``.
        mask: ``[N, H, W]``, 1 = foreground.
        shares: ``[P]`` values of ``p`` in (0, 1].

    Returns:
        ``[N, P]`` in [0, 1]; at ``p = 1`` it is the background's share of the area.

    Raises:
        BenchmarkError: If a share is outside (0, 1], and as all metrics of heatmaps.
    """
    shares = np.asarray(shares, np.float64)
    if shares.ndim != 1 or not ((shares > 0) & (shares <= 1)).all():
        raise BenchmarkError("shares of the pixels", got=shares.tolist(), expected="a list of numbers in (0, 1]")
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(np.abs(maps.relevance), maps)
    count = shares * maps.pixels
    below = np.floor(count).astype(np.intp)
    above = np.minimum(below + 1, maps.pixels)
    hits = ranked.hits[:, below] + (ranked.hits[:, above] - ranked.hits[:, below]) * (count - below)
    return ranked.known(np.clip(1 - hits / count, 0, 1))


def background_curve_area(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """Area under ``background_curve``: ``1 - mean_k h_k / k`` over ``k = 1 .. S``.

    The strongest pixels weigh most, as they are in every top ``k``. A perfect order is not 0 but
    ``1 - |M| / S (1 + Σ_{k > |M|} 1/k)``, since the whole image is a top ``k``, too: compare on the same masks.
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(np.abs(maps.relevance), maps)
    return ranked.known(np.asarray(1 - (ranked.hits[:, 1:] / np.arange(1, maps.pixels + 1)).mean(1)))


def iou_top_area(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """IoU of the top ``|M|`` pixels of ``|R|`` with the foreground: ``h / (2 |M| - h)``, ``h = h_|M|``.

    Pixels that tie for the last places belong to the top in part (``Σ min / Σ max`` of the two memberships).
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(np.abs(maps.relevance), maps)
    return ranked.known(ranked.top / np.maximum(2 * ranked.area - ranked.top, 1))


def iou_curve_area(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """Area under the IoU of the top ``k`` pixels of ``|R|`` with the foreground: ``mean_k h_k / (k + |M| - h_k)``.

    Even a perfect order stays below 1, by the area of the foreground: compare on the same masks.
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(np.abs(maps.relevance), maps)
    hits = ranked.hits[:, 1:]
    return ranked.known((hits / (np.arange(1, maps.pixels + 1) + ranked.area[:, None] - hits)).mean(1))


BACKGROUND_CURVE_AREA = HeatmapMetric(
    name="background_curve_area",
    family="attribution",
    function=background_curve_area,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="the background's share of the area",
    source="defined here: background_relevance_mass by ranks, at every threshold",
)
IOU_TOP_AREA = HeatmapMetric(
    name="iou_top_area",
    family="attribution",
    function=iou_top_area,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="s / (2 - s) for a uniform map, s = the foreground's share of the area; hardly more for random orders",
    source="Jaccard 1912, at the threshold that keeps as many pixels as the foreground has",
)
IOU_CURVE_AREA = HeatmapMetric(
    name="iou_curve_area",
    family="attribution",
    function=iou_curve_area,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="about s/(1-s) (1 - s/(1-s) ln(1/s)), s = the foreground's share of the area",
    source="defined here: Jaccard 1912 at every threshold",
)
