"""The pieces of scoring a cell, each small enough that several cores share them evenly.

A piece is one seed's model and one question: its heatmaps by one explainer on one variant, its behaviour, or its
accuracy in groups of the validation images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.api import Floats, Ints, Metric, UInt8
from benchmark.behaviour.measure import ask, measure
from benchmark.behaviour.prepare import Composites
from benchmark.behaviour.probe import decodability
from benchmark.behaviour.shown import Shown
from benchmark.guards.faithfulness import road
from benchmark.guards.randomisation import randomised, similarity
from benchmark.metrics.contract import HeatmapMetric
from benchmark.metrics.named import registered_metrics
from benchmark.scoring.models import (
    GivenMask,
    Masks,
    UnknownOperation,
    featurizer,
    heatmaps,
    load_model,
    mask_tensor,
    predictor,
    to_tensor,
)
from benchmark.scoring.settings import Scoring, suffix
from benchmark.scoring.subset import places_of
from benchmark.scoring.validation import Validation, is_right
from benchmark.seeding import derive, numpy_stream

Scores = dict[tuple[str, str], Floats]
"""(Metric, variant) -> ``[M]`` one number an image; NaN where it is not defined or was not asked for."""


@dataclass(frozen=True)
class Part:
    """One question to the model of one seed; ``explainer`` and ``variant`` of heatmaps alone."""

    seed: int
    question: str
    explainer: str = ""
    variant: str = ""


@dataclass(frozen=True)
class Answer:
    """What a part comes to.

    Attributes:
        scores: Of images.
        maps: The heatmaps ``[m, H, W]`` of the explained images; ``None`` where there are none.
        reason: Why not.
        right: ``[V]`` whether the class of each validation image is found.
    """

    scores: Scores = field(default_factory=dict)
    maps: Floats | None = None
    reason: str = ""
    right: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Work:
    """All that the parts of a cell share.

    Attributes:
        runs: Folders of the finished seeds.
        method: Registered name.
        options: The method's own settings.
        settings: Of scoring.
        images: Variant -> number of its test images.
        shown: Variant -> the images that are looked at more closely.
        composites: Of the ``behaviour`` images; ``None`` where behaviour is not asked for.
        validation: The images on which groups are compared.
        given: The mask that a model with masks at test is explained and probed with; ``None`` for other models.
        true: The mask that it is tested with: as its test images, so those on which its worst group is chosen.
    """

    runs: Sequence[Path]
    method: str
    options: Mapping[str, Any]
    settings: Scoring
    images: Mapping[str, int]
    shown: Mapping[str, Shown]
    composites: Composites | None
    validation: Validation | None
    given: Masks | None
    true: Masks | None

    def model(self, seed: int) -> nn.Module:
        return load_model(self.runs[seed], self.method, dict(self.options))

    def few(self, variant: str, count: int) -> Ints:
        """Where so many images stand among those shown of a variant."""
        return places_of(self.images[variant], count, self.settings.images)

    def spread(self, variant: str, places: Ints, values: Floats) -> Floats:
        """Values of some of the images shown as one of all of them, ``[M]``."""
        whole: Floats = np.full(len(self.shown[variant].label), np.nan, np.float32)
        whole[places] = values
        return whole


def parts_of(work: Work) -> list[Part]:
    """All parts, the longest first."""
    seeds = range(len(work.runs))
    explained = [
        Part(seed, "heatmaps", explainer, variant)
        for explainer, plan in work.settings.explainers.items()
        for variant in plan.variants
        if variant in work.shown
        for seed in seeds
    ]
    behaviour = [Part(seed, "behaviour") for seed in seeds if work.composites is not None]
    groups = [Part(seed, "groups") for seed in seeds if work.validation is not None]
    return [*behaviour, *explained, *groups]


def answer(work: Work, part: Part) -> Answer:
    """Answers a part, on one thread."""
    return {"heatmaps": explained, "behaviour": behaved, "groups": grouped}[part.question](work, part)


def explained(work: Work, part: Part) -> Answer:
    """The scores of one explainer's heatmaps of the label's logit; on iid also those of the explainer itself."""
    plan = work.settings.explainers[part.explainer]
    places = work.few(part.variant, plan.images)
    shown = work.shown[part.variant].take(places)
    model, image, label = work.model(part.seed), to_tensor(shown.image), torch.from_numpy(shown.label)
    if work.given is not None:
        model = GivenMask(model, mask_tensor(work.given(shown.image, shown.mask)))
    metrics = [metric for metric in registered_metrics("attribution") if plan.metrics == "all" or is_short(metric)]
    try:
        maps = heatmaps(part.explainer, model, image, label)
    except UnknownOperation as error:
        names = [metric.name + suffix(part.explainer) for metric in metrics]
        nothing = np.full(len(work.shown[part.variant].label), np.nan, np.float32)
        return Answer({(name, part.variant): nothing for name in names}, reason=str(error.got or error.what))
    scores = {}
    for metric in metrics:
        values = metric.function(maps, region(metric, shown))
        scores[metric.name + suffix(part.explainer), part.variant] = work.spread(part.variant, places, rounded(values))
    if part.variant == "iid" and work.settings.guards:
        inner = np.flatnonzero(np.isin(places, work.few("iid", work.settings.guards)))
        found = guarded(part, model, image, label, maps, inner)
        scores |= {(name, "iid"): work.spread("iid", places[inner], rounded(values)) for name, values in found.items()}
    return Answer(scores, maps)


def rounded(values: Floats) -> Floats:
    """To a multiple of 2⁻¹⁴ (error 0.00003): a third of a file was digits that no mean of a hundred images has."""
    return np.round(np.asarray(values, float) * 2**14) / 2**14


def is_short(metric: Metric) -> bool:
    """Whether a metric is computed of every explainer."""
    return isinstance(metric, HeatmapMetric) and metric.short


def region(metric: Metric, shown: Shown) -> UInt8:
    """The mask that a metric of heatmaps looks at."""
    return shown.mark if isinstance(metric, HeatmapMetric) and metric.region == "mark" else shown.mask


def guarded(part: Part, model: nn.Module, image: Tensor, label: Tensor, maps: Floats, rows: Ints) -> dict[str, Floats]:
    """How faithful an explainer is to a model, and how much of its maps is left when the weights are random.

    Every seed has random weights of its own, the same for all explainers.
    """
    explainer = part.explainer
    few, target = image[torch.from_numpy(rows)], label[torch.from_numpy(rows)]
    if isinstance(model, GivenMask):
        model = GivenMask(model.model, model.mask[torch.from_numpy(rows)])
    untrained = randomised(model, derive(part.seed, "randomisation"), few)
    try:
        others = heatmaps(explainer, untrained, few, target)
    except UnknownOperation:
        others = np.full(maps[rows].shape, np.nan)
    return {
        f"faithfulness{suffix(explainer) or '_' + explainer}": road(
            model, few, target, maps[rows], numpy_stream(0, "road", explainer)
        ),
        f"randomisation{suffix(explainer) or '_' + explainer}": similarity(maps[rows], others),
    }


def behaved(work: Work, part: Part) -> Answer:
    """What the model does when backgrounds are swapped, blanked or noisy, and what its features hold."""
    if work.composites is None:
        return Answer()
    model = work.model(part.seed)
    places = {variant: work.few(variant, work.settings.behaviour) for variant in work.shown}
    predict = predictor(model, work.given)
    scores = measure(predict, work.composites)
    features = featurizer(model, work.given)
    if features is not None:
        scores |= decodability(features, work.composites.shown)
    if work.given is not None:
        for variant, shown in work.composites.shown.items():
            said = ask(predict, work.composites.as_shown(variant), shown.label)
            scores["predicted_mask_accuracy", variant] = said.right(shown.label).astype(np.float32)
    return Answer({(name, v): work.spread(v, places[v], values) for (name, v), values in scores.items()})


def grouped(work: Work, part: Part) -> Answer:
    """Which validation images the model gets right: their groups are told apart later."""
    if work.validation is None:
        return Answer()
    return Answer(right=is_right(work.validation, predictor(work.model(part.seed), work.true)))
