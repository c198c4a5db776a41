r"""How far a new number may be from a recorded one: a rule in a few words, in the column ``tolerance`` of a reference.

.. math:: |y_\mathrm{new} - y_\mathrm{old}| \le d

====================  ===============================================================================================
``band``              ``d = sqrt(h_old² + min(h_new, h_old)²)``, ``h`` half the 95 % interval: a prediction interval
``abs 0.01``          ``d = 0.01``: what the last printed digit of a paper leaves open, say
``exact``             ``d = 1e-9``
====================  ===============================================================================================

The new half width counts for no more than the recorded one: a new run that varies more than the recorded one is itself
a drift, and must not widen its own tolerance. (0.976 ± 0.010 is recorded, new seeds have 0.98, 0.975, 0.10: the mean
of 0.685 has an interval as wide as the range.) ``h`` of a clipped interval is the longer of its two halves.

``d`` is never below 1e-9, so that rounding is forgiven. Fixed tolerances for all numbers alike would cry wolf where the
test is small, and sleep where it is large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.errors import BenchmarkError

Row = Mapping[str, str]

ROUNDING = 1e-9
"""What two computations of the same number may differ by."""

RULES = "band, exact, or abs with a positive number such as 'abs 0.01'"


@dataclass(frozen=True)
class Tolerance:
    """A rule.

    Attributes:
        kind: ``band``, ``exact`` or ``abs``.
        size: The number of ``abs``; else 0.
    """

    kind: str
    size: float = 0.0

    def allowed(self, recorded: Row, found: Row) -> float:
        """``d`` for two rows with ``low`` and ``high``; an interval that is not there has no width."""
        if self.kind != "band":
            return max(self.size, ROUNDING)
        old = half_width(recorded)
        return max(math.hypot(old, min(half_width(found), old)), ROUNDING)

    def __str__(self) -> str:
        return f"abs {self.size:g}" if self.kind == "abs" else self.kind


def parse_tolerance(text: str, where: str) -> Tolerance:
    """Reads a rule.

    Args:
        text: As in the table.
        where: The row, for the error.

    Raises:
        BenchmarkError: If there is no such rule.
    """
    match text.split():
        case ["band" | "exact" as kind]:
            return Tolerance(kind)
        case ["abs", number] if (size := _positive(number)) is not None:
            return Tolerance("abs", size)
    raise BenchmarkError(f"tolerance of reference row {where!r}", got=text, expected=RULES, do="Mend the reference.")


def half_width(row: Row) -> float:
    """From the value of a row to the farther end of its interval; 0 where it has none."""
    if not row["low"] or not row["high"]:
        return 0.0
    value = float(row["value"])
    return max(value - float(row["low"]), float(row["high"]) - value)


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
