"""The table results/lrp/bench.csv: its columns, its order, reading and writing."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmark.files import atomic_path

QUANTITIES = ("step_ratio", "heatmap_ratio", "memory_ratio", "inference_ratio")


@dataclass(frozen=True, order=True)
class Row:
    """One ratio to the plain classifier.

    Attributes:
        case: What was measured, of :data:`pipelines.lrp_bench.cases.CASES`.
        network: timm's name.
        px: Side of the image.
        classes: Heatmaps per image.
        quantity: ``step_ratio`` (a training step), ``heatmap_ratio`` (forward and one heatmap that is not trained
            through, ÷ a plain training step), ``memory_ratio`` (peak of a step above model and images) or
            ``inference_ratio``.
        value: The ratio.
        repeats: Timings of which it is the shortest; 1 for memory.
        device: ``cpu`` (one thread) or the GPU's name.
        torch: Its version.
    """

    case: str
    network: str
    px: int
    classes: int
    quantity: str
    value: float
    repeats: int
    device: str
    torch: str


def write(rows: Iterable[Row], path: Path) -> None:
    """Sorted, three decimals; the file appears whole or not at all."""
    with atomic_path(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**asdict(row), "value": f"{row.value:.3f}"} for row in sorted(rows))


def read(path: Path) -> list[Row]:
    """What :func:`write` wrote."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Row(
                **{**row, "px": int(row["px"]), "classes": int(row["classes"])}  # type: ignore[arg-type]
                | {"value": float(row["value"]), "repeats": int(row["repeats"])}
            )
            for row in csv.DictReader(stream)
        ]
