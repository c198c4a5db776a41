"""Where the attribution falls: the background's share of a heatmap."""

from __future__ import annotations

import numpy as np

from benchmark.api import Floats, Metric, UInt8
from benchmark.errors import BenchmarkError


def background_relevance_mass(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ |R| (1 - M) / Σ |R|`` of each image: 0 = all on the foreground, 1 = all on the background.

    Args:
        relevance: ``[N, H, W]`` signed, already summed over channels.
        mask: ``[N, H, W]``, 1 = foreground, 0 = background.

    Returns:
        ``[N]`` in [0, 1]; NaN for a map of zeros and for an image without foreground or without background.

    Raises:
        BenchmarkError: If shapes differ, a relevance is not finite or a mask is not binary.
    """
    size = np.abs(np.asarray(relevance, np.float64))
    background = np.asarray(mask) == 0
    if size.ndim != 3 or background.shape != size.shape:
        raise BenchmarkError(
            "relevance and mask",
            got=f"shapes {size.shape} and {background.shape}",
            expected="[N, H, W] twice",
            do="Sum the relevance over channels first.",
        )
    if len(bad := np.flatnonzero(~np.isfinite(size).all((1, 2)))):
        raise BenchmarkError(f"relevance of image {bad[0]} is not finite", do="Look for an explainer that overflows.")
    if len(bad := np.flatnonzero(~(background | (np.asarray(mask) == 1)).all((1, 2)))):
        raise BenchmarkError(
            f"mask of image {bad[0]}",
            got=np.unique(mask[bad[0]])[:5].tolist(),
            expected="only 0 and 1",
            do="Resize masks with nearest neighbours, or threshold them.",
        )
    # The largest value of each map becomes 1: no sum of tiny relevances underflows.
    peak = size.max((1, 2), initial=0.0, keepdims=True)
    size = np.divide(size, peak, out=np.zeros_like(size), where=peak > 0)
    mass = size.sum((1, 2))
    defined = (mass > 0) & background.any((1, 2)) & ~background.all((1, 2))
    share: Floats = np.full(len(size), np.nan)
    np.divide((size * background).sum((1, 2)), mass, out=share, where=defined)
    return share


BACKGROUND_RELEVANCE_MASS = Metric(
    name="background_relevance_mass",
    family="attribution",
    function=background_relevance_mass,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="the background's share of the area",
    source="the mass that ISNet minimises: Bassi, Dertkigil and Cavalli, arXiv 2202.00232",
)

HEATMAP_LOSS = Metric(
    name="heatmap_loss",
    family="guard",
    function=np.asarray,
    higher_is_better=False,
    low=0.0,
    high=np.inf,
    chance="depends on the loss",
    source="the method's own heatmap loss on validation images, at the selected epoch",
)
