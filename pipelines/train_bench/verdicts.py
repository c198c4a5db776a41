"""The bounds that the harness's loop is held to, and whether the rows of a run are within them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.train_bench.rows import Row, intervals

BOUNDS = {"fit_to_bare": 0.95, "fit_to_bare_no_shift": 0.95, "fit_to_authors": 1.0}
"""Quantity to its lowest value."""


def word(value: float, low: float, high: float, least: float) -> str:
    """``met`` or ``MISSED`` where the whole interval says so, else ``open``; NaN proves nothing."""
    if value >= least and low >= least:
        return "met"
    return "MISSED" if value < least and high < least else "open"


def verdicts(rows: Iterable[Row]) -> Iterator[str]:
    """One line a bounded row."""
    for row, (value, low, high) in sorted(intervals(rows).items(), key=lambda item: (item[0].quantity, item[0])):
        if (least := BOUNDS.get(row.quantity)) is None:
            continue
        where = f"{row.method}, {row.backbone}, {row.px} px, batch {row.batch}, {row.device}"
        found = f"{value:6.3f} [{low:.3f}, {high:.3f}]"
        yield f"{word(value, low, high, least):<6}  {row.quantity:<20} {found}  (at least {least})  {where}"
