"""Do the highest pixels of a heatmap lie on the foreground? Ranks, maxima and the mask as a thing to be found.

Shapes, NaN and errors are those of ``benchmark.metrics.attribution``; equal pixels share their places, as in
``benchmark.metrics.curves``. The sign is that of the sources: relevance rank accuracy ranks ``|R|``; the other four
take ``R`` as it is, negative relevance last, so they ask where the evidence *for* the class lies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmark.api import Floats, UInt8
from benchmark.metrics.attribution import Heatmaps, share
from benchmark.metrics.contract import HeatmapMetric
from benchmark.metrics.curves import Ranked

TOLERANCE = (15, 224)
"""The pointing game's tolerance: 15 pixels at a shorter side of 224, in proportion for others, rounded down."""


def relevance_rank_accuracy(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``|TopK(|R|) ∩ M| / K``, ``K = |M|``.

    Of pixels that tie for the last places, the expected number under random tie breaking counts, so that a uniform map
    gives ``|M| / S``.

    Source: Arras, Osman and Samek, arXiv 2003.07258, who rank a relevance that was pooled to be non-negative: ``|R|``
    here, which has the order of the ``R²`` of ``relevance_mass_accuracy``.
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(np.abs(maps.relevance), maps)
    return ranked.known(ranked.top / np.maximum(ranked.area, 1))


def pointing_game(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """1 if the maximum of ``R`` is within ``TOLERANCE`` of the foreground, else 0; of tied maxima, the share that is.

    The distance is Euclidean, between centres of pixels, to the nearest foreground pixel; equal to the tolerance is a
    hit. NaN also where every pixel is within the tolerance: such a game cannot be lost.

    Source: Zhang et al., arXiv 1608.00507, whose maps are non-negative; ``R`` is taken as it is, since the point is
    where the evidence for the class is strongest.
    """
    maps = Heatmaps.checked(relevance, mask)
    near = _dilated(maps.inside, min(maps.inside.shape[1:]) * TOLERANCE[0] // TOLERANCE[1])
    highest = maps.relevance == maps.relevance.max((1, 2), keepdims=True)
    hit = share(highest.astype(float), near, maps)
    hit[near.all((1, 2))] = np.nan
    return hit


def _dilated(inside: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """The masks with all pixels at most ``radius`` away from them."""
    if not radius:
        return inside
    near = np.empty_like(inside)
    for image, mask in enumerate(inside):
        near[image] = distance_transform_edt(~mask) <= radius
    return near


def energy_pointing_game(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ R̂ M / Σ R̂``, ``R̂ = (R - min R) / (max R - min R)``. NaN for a constant map.

    The most negative pixel becomes 0 and pixels without relevance become positive, so that a map of mixed signs is
    drawn towards the share of the area.

    Source: Wang et al. (Score-CAM), arXiv 1910.01279. Deviation: the region is the mask, theirs was a bounding box.
    """
    maps = Heatmaps.checked(relevance, mask)
    height = maps.scaled
    return share(height - height.min((1, 2), keepdims=True), maps.inside, maps)


def mask_auroc(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """Probability that a foreground pixel has a higher ``R`` than a background pixel; a tie counts one half.

    ``(Σ_k h_k - |M| (|M| + 1) / 2) / (|M| |B|)``, ``k = 1 .. S``, with the ``h_k`` of ``benchmark.metrics.curves``.

    Source: Hanley and McNeil 1982 (Mann-Whitney form); ``R`` as it is, as a classifier's score would be.
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(maps.relevance, maps)
    area = ranked.area
    wins = ranked.hits[:, 1:].sum(1) - area * (area + 1) / 2
    return ranked.known(wins / np.maximum(area * (maps.pixels - area), 1))


def mask_average_precision(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ_t (recall_t - recall_t-1) precision_t`` of ``R`` as the score of foreground pixels, ``t`` = distinct values.

    Source: the step-wise sum of scikit-learn's ``average_precision_score``, ties included.
    """
    maps = Heatmaps.checked(relevance, mask)
    ranked = Ranked.by(maps.relevance, maps)
    stop = ranked.stop[:, 1:]
    precision = np.take_along_axis(ranked.hits, stop, 1) / stop
    return ranked.known((np.diff(ranked.hits, axis=1) * precision).sum(1) / np.maximum(ranked.area, 1))


RELEVANCE_RANK_ACCURACY = HeatmapMetric(
    name="relevance_rank_accuracy",
    family="attribution",
    function=relevance_rank_accuracy,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the foreground's share of the area",
    source="Arras, Osman and Samek (CLEVR-XAI), arXiv 2003.07258",
)
POINTING_GAME = HeatmapMetric(
    name="pointing_game",
    family="attribution",
    function=pointing_game,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the share of the area that lies within the tolerance of the foreground",
    source="Zhang et al. (Excitation Backprop), arXiv 1608.00507",
    sign="signed",
    short=True,
)
ENERGY_POINTING_GAME = HeatmapMetric(
    name="energy_pointing_game",
    family="attribution",
    function=energy_pointing_game,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the foreground's share of the area, over random orders; a uniform map is not defined",
    source="Wang et al. (Score-CAM), arXiv 1910.01279",
    sign="signed",
)
MASK_AUROC = HeatmapMetric(
    name="mask_auroc",
    family="attribution",
    function=mask_auroc,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="0.5",
    source="Hanley and McNeil 1982 (Mann-Whitney form), a foreground pixel against a background pixel",
    sign="signed",
    short=True,
)
MASK_AVERAGE_PRECISION = HeatmapMetric(
    name="mask_average_precision",
    family="attribution",
    function=mask_average_precision,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the foreground's share of the area for a uniform map; a little more for random orders of few pixels",
    source="average precision as in scikit-learn, a foreground pixel against a background pixel",
    sign="signed",
)
