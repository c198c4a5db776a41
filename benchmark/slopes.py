r"""Dose and response in one number: rows of ``slopes.csv``.

.. math:: b = \sum_d c_d\,y_d, \qquad c_d = \frac{x_d - \bar x}{\sum_e (x_e - \bar x)^2}

the least-squares slope of a metric ``y`` over the doses ``x`` of one dial, the other dial held. It is a fixed sum of
means, so the variance-sum interval of the suite holds for it: all doses show the same test images under the same draws,
and each seed has its own slope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from benchmark.api import Floats
from benchmark.cell import Cell
from benchmark.metrics.behaviour import DOSE_RESPONSE_SLOPE
from benchmark.metrics.generalization import ACCURACY
from benchmark.predictions import Predictions
from benchmark.seeding import numpy_stream
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.interval import variance_sum
from benchmark.stats.track import of_logits

DIALS = ("correlation", "strength")
VARIANTS = ("iid", "deceiving")
FEWEST = 3
"""Doses. A line through two is no slope that anything could speak against."""


@dataclass(frozen=True)
class SlopeRow:
    """The slope of one method's accuracy on one variant along one dial.

    Attributes:
        dial: Which dial moves.
        held: Which is held.
        at: Where.
        value: Change of accuracy from dose 0 to dose 1 along the line, mean over seeds.
        low: Lower bound, 95 % over units and seeds.
        high: Upper bound.
        doses: All of them.
    """

    dataset: str
    bias: str
    dial: str
    held: str
    at: float
    method: str
    variant: str
    metric: str
    value: float
    low: float
    high: float
    doses: str
    n_units: int
    n_seeds: int


SLOPE_COLUMNS = tuple(field.name for field in fields(SlopeRow))


def slope(doses: Floats, values: Floats) -> Floats:
    """Least squares over the first axis: ``doses [D]``, ``values [D, ...] -> [...]``."""
    centred = np.asarray(doses, float) - np.mean(doses)
    found: Floats = np.tensordot(centred / (centred**2).sum(), np.asarray(values, float), axes=1)
    return found


def slope_rows(
    predictions: Mapping[Cell, Predictions],
    settings: Mapping[Cell, Mapping[str, object]],
    registered: Mapping[Cell, str],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> list[SlopeRow]:
    """Every series of at least three doses of one bias on one data set, by method and variant.

    Args:
        predictions: The cells of a suite.
        settings: Of each cell's bias.
        registered: The registered name of each cell's bias.
        draws: Number of bootstrap draws.
        seed: Of the bootstrap.
    """
    rows = []
    for (dataset, bias, dial, held, at, method, _), cells in _series(settings, registered).items():
        doses = np.array(sorted(cells))
        chosen = [predictions[cells[dose]] for dose in doses]
        for variant in VARIANTS if len(doses) >= FEWEST else ():
            if not _comparable(chosen, variant):
                continue
            tested, strata = chosen[0].tested[variant], chosen[0].attributes.get("strata")
            rng = numpy_stream(seed, "slope", dataset, bias)
            count = resample_counts(tested.unit, draws, rng, tested.label if strata == "label" else None)
            tracks = [of_logits(ACCURACY, variant, each, {variant: count}) for each in chosen]
            values, drawn = (slope(doses, np.stack([getattr(t, name) for t in tracks])) for name in ("values", "draws"))
            units = int(tracks[0].n_units.min())
            found = variance_sum(values, drawn, units)
            rows.append(
                SlopeRow(
                    *(dataset, bias, dial, held, float(at), method, variant, DOSE_RESPONSE_SLOPE.name),
                    *(found.value, found.low, found.high),
                    *("; ".join(f"{dose:g}" for dose in doses), units, len(values)),
                )
            )
    return rows


def _series(
    settings: Mapping[Cell, Mapping[str, object]], registered: Mapping[Cell, str]
) -> dict[tuple[str, ...], dict[float, Cell]]:
    """Dose to cell, for every method, dial, and value of all that is held."""
    series: dict[tuple[str, ...], dict[float, Cell]] = {}
    for cell, given in settings.items():
        rest = repr(sorted((name, value) for name, value in given.items() if name not in DIALS))
        for dial, held in (DIALS, DIALS[::-1]) if all(name in given for name in DIALS) else ():
            key = (cell.dataset, registered[cell], dial, held, str(given[held]), cell.method, rest)
            series.setdefault(key, {})[float(str(given[dial]))] = cell
    return series


def _comparable(chosen: Sequence[Predictions], variant: str) -> bool:
    """Whether all doses were tested on the same images with the same seeds."""
    first = chosen[0]
    return (
        all(
            variant in each.tested
            and each.tested[variant].same_as(first.tested[variant])
            and np.array_equal(each.seeds, first.seeds)
            for each in chosen
            if variant in first.tested
        )
        and variant in first.tested
    )
