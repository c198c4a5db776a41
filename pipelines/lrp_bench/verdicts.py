"""The bounds that the relevance engine is held to, and whether the rows of a run are within them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.lrp_bench.rows import Row

NETWORKS = ("resnet18", "densenet121")
BOUNDS = {
    ("isnet_eps", "step_ratio", None): (0.0, 2.3),
    ("isnet_zb", "step_ratio", None): (0.0, 2.5),
    ("isnet_k8", "step_ratio", None): (0.0, 6.5),
    ("isnet_lazy", "step_ratio", None): (0.0, 1.5),
    ("isnet_eps", "memory_ratio", "resnet18"): (0.0, 1.8),
    ("isnet_eps", "memory_ratio", "densenet121"): (0.0, 2.6),
    ("isnet_eps", "inference_ratio", None): (0.98, 1.02),
}
"""Case, quantity and network (None: both) to the lowest and highest value; one map an image, ``k8`` eight."""


def bound(row: Row) -> tuple[float, float] | None:
    """The row's bound, if it has one."""
    if row.network not in NETWORKS or row.classes != (8 if row.case == "isnet_k8" else 1):
        return None
    return BOUNDS.get((row.case, row.quantity, row.network)) or BOUNDS.get((row.case, row.quantity, None))


def verdicts(rows: Iterable[Row]) -> Iterator[str]:
    """One line a bounded row."""
    for row in sorted(rows, key=lambda row: (row.quantity, row.case, row.network, row.px)):
        limits = bound(row)
        if limits is None:
            continue
        low, high = limits
        told = f"at most {high}" if low == 0 else f"{low} to {high}"
        word = "met   " if low <= round(row.value, 3) <= high else "MISSED"
        where = f"{row.network}, {row.px} px, {row.device}"
        yield f"{word}  {row.quantity:<15} {row.case:<10} {row.value:6.3f}  ({told})  {where}"
