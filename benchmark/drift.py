"""Whether new numbers agree with recorded ones, within what both runs' uncertainty allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.errors import BenchmarkError

Row = Mapping[str, str]
KEY = ("dataset", "bias", "method", "variant", "metric")
COLUMNS = (*KEY, "value", "low", "high", "n_units", "n_seeds", "source")


class Drift(NamedTuple):
    """A number that left its prediction band, or is gone."""

    name: str
    recorded: str
    found: str


def half_width(row: Row) -> float:
    """Half the interval of a row; 0 where it has none."""
    if not row["low"] or not row["high"]:
        return 0.0
    return (float(row["high"]) - float(row["low"])) / 2


def compare(recorded: Sequence[Row], summary: Sequence[Row]) -> list[Drift]:
    """All recorded numbers that the summary does not reproduce.

    The band is the recorded value plus or minus the root of the sum of both squared half widths: two runs with
    their own seeds and device may differ by as much (prediction interval; fixed tolerances either cry wolf or sleep).

    Raises:
        BenchmarkError: If a recorded row names no source or has no value.
    """
    found = {tuple(row[name] for name in KEY): row for row in summary}
    drifts = []
    for row in recorded:
        name = " ".join(row[part] for part in KEY)
        if not row["source"]:
            raise BenchmarkError(f"reference row {name!r} names no source", do="Say where the number comes from.")
        if not row["value"]:
            raise BenchmarkError(f"reference row {name!r} has no value", do="Record the number or delete the row.")
        new = found.get(tuple(row[part] for part in KEY))
        if new is None or not new["value"]:
            drifts.append(Drift(name, row["value"], "missing"))
            continue
        band = math.hypot(half_width(row), half_width(new))
        if not abs(float(new["value"]) - float(row["value"])) <= max(band, 1e-9):  # so NaN is a drift
            drifts.append(Drift(name, f"{float(row['value']):.4f} ± {band:.4f}", f"{float(new['value']):.4f}"))
    return drifts
