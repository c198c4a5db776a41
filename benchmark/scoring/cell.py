"""A whole cell: its parts, answered side by side, put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.backbone import import_timm
from benchmark.behaviour.predicted_masks import fit
from benchmark.behaviour.prepare import prepare
from benchmark.data.pack import read_attributes, read_columns
from benchmark.metrics.groups import chosen_group
from benchmark.predictions import Predictions
from benchmark.processes import in_processes
from benchmark.registry import EXPLAINERS, METHODS
from benchmark.scoring.gallery import gallery_of
from benchmark.scoring.merged import merge
from benchmark.scoring.models import Masks, true_masks
from benchmark.scoring.parts import Answer, Part, Work, answer, parts_of
from benchmark.scoring.settings import HEADLINE, SHORT, Scoring
from benchmark.scoring.subset import choose_rows, places_of, read_shown
from benchmark.scoring.validation import Validation, read_validation
from benchmark.seeding import numpy_stream
from benchmark.training.seed import PREDICTIONS


@dataclass(frozen=True)
class Scored:
    """A scored cell.

    Attributes:
        predictions: Of all seeds, with the scores of images.
        gallery: Pictures of the first seed.
        not_defined: Explainer -> why it gives no heatmaps of this method.
    """

    predictions: Predictions
    gallery: dict[str, NDArray[Any]]
    not_defined: dict[str, str] = field(default_factory=dict)


def score_cell(
    runs: Sequence[Path],
    pack: Path,
    method: str,
    options: dict[str, Any],
    settings: Scoring = HEADLINE,
    workers: int = 1,
) -> Scored:
    """Merged predictions with the scores of images, and the gallery of the first seed.

    The explained logit is the label's.

    Args:
        runs: Folders of the finished seeds.
        pack: The biased pack.
        method: To build the network.
        options: The method's own settings.
        settings: What is computed.
        workers: Parts that are answered at once, each in a process that is forked from this one; no number depends
            on it.

    Raises:
        BenchmarkError: If the pack does not hold the images that the seeds were tested on, or a worker was killed.
    """
    work, stored = prepared(runs, pack, method, options, settings)
    answers = answered(work, workers)
    scores: dict[tuple[str, str], list[NDArray[Any]]] = {}
    for part in sorted(answers, key=lambda part: part.seed):
        for key, values in answers[part].scores.items():
            scores.setdefault(key, []).append(values)
    whole = {key: np.stack(values) for key, values in scores.items()}
    attributes = {**stored.attributes, **group_facts(work.validation, answers)}
    stored = replace(stored, image_scores=whole, attributes=attributes)
    reasons = {part.explainer: found.reason for part, found in answers.items() if found.reason}
    return Scored(stored, pictures(work, stored, answers), reasons)


def prepared(
    runs: Sequence[Path], pack: Path, method: str, options: dict[str, Any], settings: Scoring
) -> tuple[Work, Predictions]:
    """What the parts share, and the merged predictions."""
    stored = merge([Predictions.read(run / PREDICTIONS) for run in runs])
    rows = choose_rows(stored, settings.images)
    stored = replace(stored, subset=rows)
    shown = read_shown(pack, stored, rows)
    images = {variant: len(tested) for variant, tested in stored.tested.items()}
    composites = None
    if settings.behaviour:
        few = {v: each.take(places_of(images[v], settings.behaviour, settings.images)) for v, each in shown.items()}
        dials = json.loads(str(read_attributes(pack).get("bias_settings", "{}")))
        composites = prepare(few, dials.get("codes"))
    classes = stored.logits["iid"].shape[-1]
    validation = read_validation(pack, classes)
    masks = (predicted_masks(pack), true_masks) if METHODS.get(method).needs.mask_at_test else (None, None)
    return Work(runs, method, options, settings, images, shown, composites, validation, *masks), stored


def predicted_masks(pack: Path) -> Masks:
    """Masks as a segmenter finds them: a method that takes a mask at test is not judged with the true ones."""
    train, _ = read_columns(pack, "train", ("image", "mask"))
    segment = fit(train["image"], train["mask"], numpy_stream(0, "predicted masks"))
    return lambda image, mask: segment(image)


def answered(work: Work, workers: int) -> dict[Part, Answer]:
    """Every part with its answer, in order.

    Raises:
        BenchmarkError: If a worker process was killed from outside.
    """
    parts = parts_of(work)
    METHODS.get(work.method)  # imported once, before the fork
    for name in work.settings.explainers:
        EXPLAINERS.get(name)
    import_timm()
    found = in_processes(
        lambda part: answer(work, part), parts, max(1, workers), "a process that scored a model was killed"
    )
    return dict(zip(parts, found, strict=True))


def group_facts(validation: Validation | None, answers: dict[Part, Answer]) -> dict[str, str]:
    """What the stored predictions say of groups: shares in training, and the group that each seed does worst on."""
    if validation is None:
        return {}
    found = [each.right for each in answers.values() if each.right is not None]
    facts = {
        "chosen_on": validation.name,
        "chosen": [int(chosen_group(right, validation.group, 2 * validation.classes)) for right in found],
        "share": validation.share.tolist(),
        "conflicting": validation.conflicting.tolist(),
    }
    return {"groups": json.dumps(facts, sort_keys=True)}


def pictures(work: Work, stored: Predictions, answers: dict[Part, Answer]) -> dict[str, NDArray[Any]]:
    """The gallery of the first seed, of the explainers of the headline."""
    maps = {
        part.explainer: each.maps
        for part, each in answers.items()
        if (part.seed, part.variant) == (0, "iid") and part.explainer in SHORT
    }
    explained = {name: work.few("iid", work.settings.explainers[name].images) for name in maps}
    places = min(explained.values(), key=len)
    few = {
        name: found if found is None else found[np.searchsorted(explained[name], places)]
        for name, found in maps.items()
    }
    prediction = stored.logits["iid"][0, stored.subset["iid"][places]].argmax(axis=-1)
    return gallery_of(work.shown["iid"].take(places), prediction, few)
