"""Groups of images, and the validation images on which the worst of them is chosen.

A group is a class with the mark of its own or with another: ``2 K`` groups (:mod:`benchmark.metrics.groups`). On the
training's own validation images of a full correlation half of them are empty. There the task's ``balanced`` images are
taken, the same ones with marks that say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.api import Floats, Ints, PlantedBias, UInt8
from benchmark.data.pack import groups, read_attributes, read_columns
from benchmark.errors import BenchmarkError
from benchmark.metrics.groups import group_of
from benchmark.plan import Marks

CHOSEN_ON = ("balanced", "val")
"""Where the worst group is chosen: the first of these that a task has."""


@dataclass(frozen=True, eq=False)
class Validation:
    """Validation images with their groups.

    Attributes:
        name: The subset of the pack.
        image: ``[N, H, W, C]``.
        mask: ``[N, H, W]``.
        label: ``[N]``.
        group: ``[N]`` in ``[0, 2 K)``.
        classes: ``K``.
        share: ``[2 K]`` share of each group of the training images.
        conflicting: Rows of the ``iid`` images that look as another class does in training.
    """

    name: str
    image: UInt8
    mask: UInt8
    label: Ints
    group: Ints
    classes: int
    share: Floats
    conflicting: Ints


def conflicting(label: Ints, code: Ints, marks: Marks) -> NDArray[np.bool_]:
    """Whether an image looks otherwise than its class typically does in training: another mark, or none."""
    shown = np.where(code < 0, code, code % marks.groups)
    return np.asarray(shown != marks.signature[label])


def groups_of(label: Ints, code: Ints, marks: Marks) -> Ints:
    """The group of each image."""
    return group_of(label, conflicting(label, code, marks))


def read_validation(pack: Path, classes: int) -> Validation | None:
    """The validation images of a task with a planted bias; ``None`` where nothing was planted."""
    attributes, names = read_attributes(pack), groups(pack)
    settings = json.loads(str(attributes.get("bias_settings", "{}")))
    known = {name: value for name, value in settings.items() if name in PlantedBias.Settings.model_fields}
    chosen = next((name for name in CHOSEN_ON if name in names), None)
    if "deceiving" not in names or "prevalence" not in known or chosen is None:
        return None
    marks = Marks(PlantedBias.Settings(**known), classes)
    train, _ = read_columns(pack, "train", ("label", "code"))
    columns, _ = read_columns(pack, chosen, ("image", "mask", "label", "code"))
    counts = np.bincount(groups_of(train["label"], train["code"], marks), minlength=2 * classes)
    iid, _ = read_columns(pack, "iid", ("label", "code"))
    return Validation(
        chosen,
        columns["image"],
        columns["mask"],
        columns["label"],
        groups_of(columns["label"], columns["code"], marks),
        classes,
        counts / counts.sum(),
        np.flatnonzero(conflicting(iid["label"], iid["code"], marks)),
    )


def is_right(validation: Validation, predict: Callable[[UInt8, UInt8], Floats]) -> NDArray[np.bool_]:
    """``[N]`` whether each image's class is found.

    Raises:
        BenchmarkError: If a logit is not finite: that is no class, and there is no worst group to choose.
    """
    logits = predict(validation.image, validation.mask)
    if bad := int((~np.isfinite(logits).all(1)).sum()):
        raise BenchmarkError(
            f"logits of the images {validation.name!r}",
            got=f"{bad} of {len(logits)} images with one that is not finite",
            do="Look for a training that diverged.",
        )
    return np.asarray(logits.argmax(1) == validation.label)
