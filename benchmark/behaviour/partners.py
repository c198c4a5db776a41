"""Which images lend an image their backgrounds.

An image ranks all others by draws from its own name (:class:`benchmark.seeding.Draws`), in the order of their names,
and takes the first few that fit: another unit, the wished class, and a mark that its own foreground does not cover
entirely. So no choice depends on another image's choices, nor on the order of the images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints
from benchmark.behaviour.shown import Shown
from benchmark.seeding import Draws

NONE = -1
"""No partner."""
SEED = 0
CELLS = 2**22
"""Numbers that are ranked at once: more would only take memory."""


def partners(shown: Shown, same_class: bool, count: int) -> Ints:
    """Rows of the images whose backgrounds each image gets.

    Args:
        shown: All that can lend one; those without foreground or without background neither lend nor get any.
        same_class: Whether partners have the image's class, or any other.
        count: How many an image.

    Returns:
        ``[M, count]`` in the order of the draws, without repetition; :data:`NONE` where there are too few.
    """
    lenders = np.flatnonzero(shown.usable)
    lenders = lenders[np.argsort(shown.id[lenders], kind="stable")]
    chosen = np.full((len(shown), count), NONE, np.int64)
    draws, unit = Draws(SEED, shown.id), np.unique(shown.unit, return_inverse=True)[1]
    name = f"backgrounds of {'the same class' if same_class else 'other classes'}"
    getting = np.flatnonzero(shown.usable)
    # A copy of the marks is as large as the images: blocks count pixels, too.
    size = max(1, CELLS // max(len(lenders), count * shown.mask[0].size if len(shown) else 1, 1))
    for start in range(0, len(getting), size):
        rows = getting[start : start + size]
        place = draws.take(rows).uniform(name, len(lenders))
        like = shown.label[rows, None] == shown.label[lenders]
        place[(like != same_class) | (unit[rows, None] == unit[lenders])] = np.inf
        chosen[rows] = _first(place, rows, lenders, shown, count)
    return chosen


def _first(place: Floats, rows: Ints, lenders: Ints, shown: Shown, count: int) -> Ints:
    """The lenders of the lowest places, redrawn where nothing of a mark would be seen."""
    many = min(count, place.shape[1])
    while True:
        lowest = np.argpartition(place, many - 1, axis=1)[:, :many]
        lowest = np.take_along_axis(lowest, np.argsort(np.take_along_axis(place, lowest, 1), axis=1), 1)
        found = np.take_along_axis(place, lowest, 1) < np.inf
        pairs = np.where(found, lenders[lowest], NONE)
        hidden = visible_share(shown, rows, pairs) == 0
        if not hidden.any():
            break
        np.put_along_axis(place, lowest, np.where(hidden, np.inf, np.take_along_axis(place, lowest, 1)), 1)
    return np.pad(pairs, ((0, 0), (0, count - many)), constant_values=NONE)


def visible_share(shown: Shown, rows: Ints, pairs: Ints) -> NDArray[np.float64]:
    """The share of a partner's mark that is seen beside the image's foreground.

    Args:
        shown: All images.
        rows: ``[n]`` whose foregrounds.
        pairs: ``[n, K]`` whose backgrounds, or :data:`NONE`.

    Returns:
        ``[n, K]`` in [0, 1]; NaN without a partner or without a mark.
    """
    mark = shown.mark[pairs] * (pairs != NONE)[..., None, None].astype(np.uint8)
    size = mark.sum((2, 3), dtype=np.float64)
    seen = (mark & (1 - shown.mask[rows])[:, None]).sum((2, 3), dtype=np.float64)
    return np.asarray(np.divide(seen, size, out=np.full(size.shape, np.nan), where=size > 0))
