"""Metrics, explainers and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from benchmark.api.base import Floats

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Metric:
    """A pure function with declared meaning.

    Attributes:
        family: ``generalization`` (of predictions) or ``attribution`` (of heatmaps), ...
        function: For predictions ``(score [N, K], label [N], weight [..., N]) -> [...]``; for heatmaps
            ``(relevance [N, H, W], mask [N, H, W]) -> [N]`` with NaN where it is not defined.
        higher_is_better: Direction.
        low: Smallest possible value.
        high: Largest possible value.
        chance: What knowing nothing gives: a text, since it may depend on classes or area.
        source: Paper or definition.
    """

    name: str
    family: Literal["generalization", "attribution", "behaviour", "guard"]
    function: Callable[..., Floats]
    higher_is_better: bool
    low: float
    high: float
    chance: str
    source: str


Explainer = Callable[["nn.Module", "Tensor", "Tensor"], "Tensor"]
"""``(model, image [B, C, H, W], target [B]) -> relevance [B, C, H, W]``, signed.

A model that it cannot explain raises ``NotImplementedError``; its heatmap scores are then not defined.
"""


@dataclass(frozen=True)
class Score:
    """One number of one cell, seed, variant and metric: a row of ``scores.csv``."""

    dataset: str
    bias: str
    method: str
    seed: int
    variant: str
    family: str
    metric: str
    value: float
    n_units: int


SCORE_COLUMNS = tuple(field.name for field in fields(Score))
