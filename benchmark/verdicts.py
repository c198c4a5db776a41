"""Whether each explainer may be used for each method: rows of ``guards.csv``.

The trained models at hand are what is explained, so seeds are fixed here and the bounds are over images alone: a rule
that asked for new trainings would call an explainer unfit whose three seeds are all clearly faithful.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from benchmark.cell import Cell
from benchmark.metrics.guards import FAITHFULNESS, RANDOMISATION, verdict
from benchmark.scoring.settings import explainer_of
from benchmark.stats.interval import variance_sum
from benchmark.stats.track import Track
from benchmark.stats.tracks import Key

VARIANT = "iid"
Bounds = tuple[float, float, float]


@dataclass(frozen=True)
class GuardRow:
    """One explainer on one method, by the trained models of all seeds.

    Attributes:
        faithfulness: By ROAD, with 95 % bounds over images.
        randomisation: Similarity to the maps of random weights, with the same bounds.
        verdict: Why its maps decide nothing; empty if they may be used.
    """

    dataset: str
    bias: str
    method: str
    explainer: str
    faithfulness: float
    faithfulness_low: float
    faithfulness_high: float
    randomisation: float
    randomisation_low: float
    randomisation_high: float
    verdict: str


GUARD_COLUMNS = tuple(field.name for field in fields(GuardRow))


def guard_rows(cell: Cell, tracks: Mapping[Key, Track]) -> list[GuardRow]:
    """The verdict on every explainer that was tested on a cell."""
    rows = []
    for variant, name in tracks:
        end = name.removeprefix(FAITHFULNESS.name)
        other = tracks.get((VARIANT, RANDOMISATION.name + end))
        if variant == VARIANT and end != name and other is not None:
            faithful, random = bounds(tracks[variant, name]), bounds(other)
            told = verdict(faithful, random)
            names = (cell.dataset, cell.bias, cell.method, explainer_of(end))
            rows.append(GuardRow(*names, *faithful, *random, told))
    return rows


def bounds(track: Track) -> Bounds:
    """Value and 95 % bounds over images, of the trained models that there are."""
    if track.draws is None or not np.isfinite(track.values).any():
        return float(np.nanmean(track.values)) if np.isfinite(track.values).any() else np.nan, np.nan, np.nan
    low, high = track.metric.low, track.metric.high
    found = variance_sum(np.array([np.mean(track.values)]), track.draws, int(track.n_units.min()), low=low, high=high)
    return found.value, found.low, found.high
