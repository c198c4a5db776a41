"""What a metric of heatmaps declares beside the contract of every metric: its conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.api import Metric


@dataclass(frozen=True)
class HeatmapMetric(Metric):
    """A metric of heatmaps, ``function(relevance [N, H, W], mask [N, H, W]) -> [N]``.

    Attributes:
        region: Which mask the function gets: that of the ``foreground``, or that of the planted ``mark``.
        sign: What becomes of a signed map: its ``absolute`` value counts, or its ``positive`` part, its ``squared``
            value, or the map as it is (``signed``), for metrics of ranks.
        short: Whether it is computed of every explainer, or of the judge and of LRP alone.
    """

    region: Literal["foreground", "mark"] = "foreground"
    sign: Literal["absolute", "positive", "squared", "signed"] = "absolute"
    short: bool = False
