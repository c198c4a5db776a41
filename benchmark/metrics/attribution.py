"""How much of a heatmap falls on a region: ``Σ w(R) M / Σ w(R)``, with ``w`` = ``|R|``, ``R²`` or ``max(R, 0)``.

Every function takes ``relevance [N, H, W]``, signed and already summed over channels, and ``mask [N, H, W]``, 1 = pixel
of the region (the foreground ``M``, or the planted mark), 0 = pixel of the rest ``B``. ``S`` is the number of pixels,
``|M|`` that of the region. It returns one number an image, ``[N]``; NaN, never 0 or 1, where the number is not defined:
a map of zeros, an empty or a full region. ``Heatmaps.checked`` raises a ``BenchmarkError`` if shapes differ, a
relevance is not finite or a mask is not binary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Metric, UInt8
from benchmark.errors import BenchmarkError
from benchmark.metrics.contract import HeatmapMetric

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Heatmaps:
    """Checked maps and masks, for the metrics of this module and of its neighbours.

    Attributes:
        relevance: ``[N, H, W]`` float64, as it came.
        inside: ``[N, H, W]`` the region.
        peak: ``[N]`` the largest ``|R|`` of each map.
        defined: ``[N]`` whether the map is not all zero and the region neither empty nor full.
    """

    relevance: Floats
    inside: Bools
    peak: Floats
    defined: Bools

    @classmethod
    def checked(cls, relevance: Floats, mask: UInt8 | Floats) -> Heatmaps:
        """The checks that all metrics share.

        Raises:
            BenchmarkError: If shapes differ or have no pixels, a relevance is not finite or a mask is not binary.
        """
        relevance = np.asarray(relevance, np.float64)
        outside, inside = np.asarray(mask) == 0, np.asarray(mask) == 1
        if relevance.ndim != 3 or outside.shape != relevance.shape or 0 in relevance.shape[1:]:
            raise BenchmarkError(
                "relevance and mask",
                got=f"shapes {relevance.shape} and {outside.shape}",
                expected="[N, H, W] twice, with pixels",
                do="Sum the relevance over channels first.",
            )
        peak = np.abs(relevance).max((1, 2))
        if len(bad := np.flatnonzero(~np.isfinite(peak))):
            raise BenchmarkError(
                f"relevance of image {bad[0]} is not finite", do="Look for an explainer that overflows."
            )
        if len(bad := np.flatnonzero(~(outside | inside).all((1, 2)))):
            raise BenchmarkError(
                f"mask of image {bad[0]}",
                got=np.unique(mask[bad[0]])[:5].tolist(),
                expected="only 0 and 1",
                do="Resize masks with nearest neighbours, or threshold them.",
            )
        return cls(relevance, inside, peak, (peak > 0) & inside.any((1, 2)) & outside.any((1, 2)))

    @property
    def scaled(self) -> Floats:
        """``R / max |R|``: no sum of tiny relevances underflows, none of huge ones overflows."""
        peak = self.peak[:, None, None]
        return np.divide(self.relevance, peak, out=np.zeros_like(self.relevance), where=peak > 0)

    @property
    def area(self) -> NDArray[np.intp]:
        """``|M|`` of each image, ``[N]``."""
        return np.asarray(np.count_nonzero(self.inside, (1, 2)))

    @property
    def pixels(self) -> int:
        """``S``."""
        return int(np.prod(self.inside.shape[1:]))


def share(weight: Floats, region: Bools, maps: Heatmaps) -> Floats:
    """``Σ w region / Σ w`` of each image, ``[N]``; NaN where the image is not defined or ``Σ w = 0``."""
    whole = weight.sum((1, 2))
    part = np.full(len(weight), np.nan)
    np.divide((weight * region).sum((1, 2)), whole, out=part, where=maps.defined & (whole > 0))
    return part


def background_relevance_mass(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ |R| (1 - M) / Σ |R|``: 0 = all on the foreground, 1 = all on the background."""
    maps = Heatmaps.checked(relevance, mask)
    return share(np.abs(maps.scaled), ~maps.inside, maps)


def mark_relevance(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ |R| C / Σ |R|``, ``C`` = pixels of the planted mark, neither dilated nor blurred. NaN without a mark."""
    maps = Heatmaps.checked(relevance, mask)
    return share(np.abs(maps.scaled), maps.inside, maps)


def density_ratio(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``mean |R| on B / mean |R| on M``: 1 = a background pixel counts like a foreground pixel.

    NaN, since no stored score is infinite, where the foreground has no relevance or the ratio is beyond float32.
    ``density_share`` says the same on a bounded scale, and is defined there.
    """
    outside, inside = _densities(relevance, mask)
    ratio = np.full(len(inside), np.nan)
    with np.errstate(over="ignore"):
        np.divide(outside, inside, out=ratio, where=inside > 0)
    ratio[ratio > np.finfo(np.float32).max] = np.nan
    return ratio


def density_share(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``d_B / (d_B + d_M)``, ``d`` = mean ``|R|`` of the region: ``background_relevance_mass`` at equal areas."""
    outside, inside = _densities(relevance, mask)
    return np.asarray(outside / (outside + inside))


def _densities(relevance: Floats, mask: UInt8 | Floats) -> tuple[Floats, Floats]:
    """Mean of ``|R| / max |R|`` on background and on foreground, NaN where not defined."""
    maps = Heatmaps.checked(relevance, mask)
    size, area = np.abs(maps.scaled), np.where(maps.defined, maps.area, np.nan)
    return (size * ~maps.inside).sum((1, 2)) / (maps.pixels - area), (size * maps.inside).sum((1, 2)) / area


def relevance_mass_accuracy(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``Σ R² M / Σ R²``: the mass accuracy after the pooling "l2-norm squared".

    Source: Arras, Osman and Samek, arXiv 2003.07258. Deviation: they square each channel, then sum over channels; here
    the sum over channels is squared, as for every metric of this suite. The two agree for images of one channel.
    """
    maps = Heatmaps.checked(relevance, mask)
    return share(np.square(maps.scaled), maps.inside, maps)


def inside_total_ratio(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``μ = Σ R⁺ M / Σ R⁺``, ``R⁺ = max(R, 0)``. NaN for a map without positive relevance.

    Source: Kohlbrenner et al., arXiv 1910.09840. Deviation: the region is the mask, theirs was a bounding box.
    """
    maps = Heatmaps.checked(relevance, mask)
    return share(np.maximum(maps.scaled, 0), maps.inside, maps)


def weighted_inside_total_ratio(relevance: Floats, mask: UInt8 | Floats) -> Floats:
    """``μ_w = μ S / |M|``: 1 = as dense inside as in the whole image; at most ``S / |M|``.

    Source: Kohlbrenner et al., arXiv 1910.09840.
    """
    maps = Heatmaps.checked(relevance, mask)
    ratio = share(np.maximum(maps.scaled, 0), maps.inside, maps)
    return np.asarray(ratio * maps.pixels / np.where(maps.defined, maps.area, np.nan))


BACKGROUND_RELEVANCE_MASS = HeatmapMetric(
    name="background_relevance_mass",
    family="attribution",
    function=background_relevance_mass,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="the background's share of the area",
    source="the mass that ISNet minimises: Bassi, Dertkigil and Cavalli, arXiv 2202.00232",
    short=True,
)
MARK_RELEVANCE = HeatmapMetric(
    name="mark_relevance",
    family="attribution",
    function=mark_relevance,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="the mark's share of the area",
    source="artefact relevance: Pahde, Dreyer, Samek and Lapuschkin (Reveal to Revise), arXiv 2303.12641",
    region="mark",
    short=True,
)
DENSITY_RATIO = HeatmapMetric(
    name="density_ratio",
    family="attribution",
    function=density_ratio,
    higher_is_better=False,
    low=0.0,
    high=np.inf,
    chance="1 for a uniform map; the mean over random maps is above 1, as for any ratio",
    source="background against foreground density; cf. Moayeri, Singla and Feizi (Hard ImageNet), NeurIPS 2022",
)
DENSITY_SHARE = HeatmapMetric(
    name="density_share",
    family="attribution",
    function=density_share,
    higher_is_better=False,
    low=0.0,
    high=1.0,
    chance="0.5",
    source="density_ratio / (1 + density_ratio)",
    short=True,
)
RELEVANCE_MASS_ACCURACY = HeatmapMetric(
    name="relevance_mass_accuracy",
    family="attribution",
    function=relevance_mass_accuracy,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the foreground's share of the area",
    source="Arras, Osman and Samek (CLEVR-XAI), arXiv 2003.07258",
    sign="squared",
)
INSIDE_TOTAL_RATIO = HeatmapMetric(
    name="inside_total_ratio",
    family="attribution",
    function=inside_total_ratio,
    higher_is_better=True,
    low=0.0,
    high=1.0,
    chance="the foreground's share of the area",
    source="Kohlbrenner et al., arXiv 1910.09840",
    sign="positive",
)
WEIGHTED_INSIDE_TOTAL_RATIO = HeatmapMetric(
    name="weighted_inside_total_ratio",
    family="attribution",
    function=weighted_inside_total_ratio,
    higher_is_better=True,
    low=0.0,
    high=np.inf,
    chance="1",
    source="Kohlbrenner et al., arXiv 1910.09840",
    sign="positive",
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
