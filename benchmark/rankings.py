"""Do the measures of a task rank its methods alike? Rows of ``agreement.csv``.

Every measure says how far a method leans on the background; all are turned so that more is worse. If heatmaps by the
explainer that a method was trained through rank the methods as behaviour does, they tell something; if only they do,
they tell of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np

from benchmark.cell import Cell
from benchmark.seeding import numpy_stream
from benchmark.stats.agreement import FEWEST, rank_correlation
from benchmark.stats.track import Track
from benchmark.stats.tracks import Key

MASS = "background_relevance_mass"
MEASURES: tuple[Key, ...] = (
    *((variant, "accuracy_gap") for variant in ("deceiving", "external", "ood")),
    *(("iid", name) for name in ("background_swap_flip_rate", "background_gap", "only_background_accuracy")),
    ("deceiving", "injection_pull"),
    *(("iid", MASS + end) for end in ("_lrp", "", "_gradient_shap", "_occlusion", "_grad_cam")),
)
"""What is compared: losses of accuracy, behaviour, and the background's share of heatmaps."""

ALL = "all"
OTHERS = "not trained through an explainer"


@dataclass(frozen=True)
class AgreementRow:
    """Kendall's rank correlation over the methods of a task by two measures.

    Attributes:
        methods: ``all``, or those without a heatmap in their training.
        first_variant: Where the first measure was taken.
        value: In [-1, 1]; 1: the same order.
        low: Lower bound, 95 % over units and seeds.
        high: Upper bound.
        n_methods: How many methods have both measures.
        note: What was left out, or why there is no value.
    """

    dataset: str
    bias: str
    methods: str
    first_variant: str
    first: str
    second_variant: str
    second: str
    value: float
    low: float
    high: float
    n_methods: int
    note: str


AGREEMENT_COLUMNS = tuple(field.name for field in fields(AgreementRow))


def agreement_rows(
    tracks: Mapping[Cell, Mapping[Key, Track]],
    explained: Set[Cell],
    seed: int,
    unfit: Set[tuple[Cell, str]] = frozenset(),
) -> list[AgreementRow]:
    """All pairs of measures of one task.

    Args:
        tracks: Of every cell of the task.
        unfit: Cells with the end of an explainer's metrics (``_grad_cam``) whose maps decide nothing there: the method
            is left out of that measure, as if it had no value.
        explained: The cells whose methods are trained through an explainer, or blank their input's background.
        seed: Of the draws.
    """
    rows = []
    tracks = {
        cell: {k: t.without_value() if (cell, k[1].removeprefix(MASS)) in unfit else t for k, t in own.items()}
        for cell, own in tracks.items()
    }
    for name, cells in ((ALL, list(tracks)), (OTHERS, [cell for cell in tracks if cell not in explained])):
        measures = [key for key in MEASURES if sum(key in tracks[cell] for cell in cells) >= FEWEST]
        if name == OTHERS and len(cells) == len(tracks):
            continue
        rows += [_row(name, cells, tracks, pair, seed) for pair in combinations(measures, 2)]
    return rows


def _row(
    name: str, cells: list[Cell], tracks: Mapping[Cell, Mapping[Key, Track]], pair: tuple[Key, Key], seed: int
) -> AgreementRow:
    both = [cell for cell in cells if all(key in tracks[cell] for key in pair)]
    values, draws = (
        [np.stack([getattr(tracks[cell][key], kind) for cell in both]) for key in pair]
        for kind in ("values", "seed_draws")
    )
    rng = numpy_stream(seed, "agreement", both[0].task, name, *(text for key in pair for text in key))
    found = rank_correlation(values[0], draws[0], values[1], draws[1], rng)
    defined = np.isfinite(values[0].mean(1) + values[1].mean(1))
    (first_variant, first), (second_variant, second) = pair
    return AgreementRow(
        *(both[0].dataset, both[0].bias, name, first_variant, first, second_variant, second),
        *(
            found.value,
            found.low,
            found.high,
            int(defined.sum()),
            found.reason.replace(": not defined", ": no value, or the explainer failed a check"),
        ),
    )
