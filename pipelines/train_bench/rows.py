"""The table results/train/bench.csv: its columns, its order, its intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from benchmark.tables import read_csv, write_csv

LOW, HIGH = "_low", "_high"


@dataclass(frozen=True, order=True)
class Row:
    """One measured number.

    Attributes:
        method: The configuration, as in pipelines/configs/methods.
        backbone: timm's name.
        px: Side of the image.
        batch: Images a step.
        quantity: What was measured, see :mod:`pipelines.train_bench.quantities`; ``…_low`` and ``…_high`` are the ends
            of its 95 % interval.
        value: NaN where it could not be measured.
        repeats: Timings behind it.
        device: ``cpu``, or the GPU's name.
        threads: Of the CPU.
        torch: Its version.
    """

    method: str
    backbone: str
    px: int
    batch: int
    quantity: str
    value: float
    repeats: int
    device: str
    threads: int
    torch: str

    @property
    def place(self) -> tuple[str, str, int, int, str, int]:
        """All that tells where a quantity was measured."""
        return self.method, self.backbone, self.px, self.batch, self.device, self.threads


Interval = tuple[float, float, float]
"""Value, lower and upper end; NaN where it has none."""


def write(rows: Iterable[Row], path: Path) -> None:
    """Sorted; the file appears whole or not at all."""
    write_csv(path, sorted(rows), [field.name for field in fields(Row)])


def read(path: Path) -> list[Row]:
    """What :func:`write` wrote."""
    return read_csv(path, Row)


def rounded(value: float) -> float:
    """To four digits: no timing has more."""
    return value if math.isnan(value) else float(f"{value:.4g}")


def intervals(rows: Iterable[Row]) -> dict[Row, Interval]:
    """Every row that is no end of an interval, with its interval."""
    rows = list(rows)
    found = {(row.place, row.quantity): row.value for row in rows}

    def end(row: Row, name: str) -> float:
        return found.get((row.place, row.quantity + name), math.nan)

    middles = (row for row in rows if not row.quantity.endswith((LOW, HIGH)))
    return {row: (row.value, end(row, LOW), end(row, HIGH)) for row in middles}
