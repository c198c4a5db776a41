"""Asks a trained model about images with other backgrounds, without foreground, with noise and with marks.

The measurements of the variant ``iid`` are of single images, those of ``deceiving`` of pairs: the same image without a
mark (``ood``) and with another class's. A pair is measured where both variants show the same images.

A model that takes a mask gets that of the foreground that is shown: the pasted one in front of another background, an
empty one where no foreground is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from benchmark.api import Floats, Ints, UInt8
from benchmark.behaviour.composites import boxes
from benchmark.behaviour.partners import NONE
from benchmark.behaviour.prepare import Block, Composites, prepare
from benchmark.errors import BenchmarkError
from benchmark.metrics import behaviour as metrics

__all__ = ["Composites", "Measured", "Predict", "measure", "prepare"]

Predict = Callable[[UInt8, UInt8], Floats]
"""``(image [n, H, W, C], mask [n, H, W]) -> logits [n, K]``."""

Measured = dict[tuple[str, str], NDArray[np.float32]]
"""(metric, variant) to one number an image; NaN = not defined."""


@dataclass(frozen=True)
class Answers:
    """What a model said of ``n`` images.

    Attributes:
        predicted: ``[n]`` the predicted class, of equal ones the first.
        probability: ``[n, K]``.
    """

    predicted: Floats
    probability: Floats

    def of(self, label: Ints) -> Floats:
        """``[n]`` the probability of a class of each image."""
        return self.probability[np.arange(len(label)), label]

    def right(self, label: Ints) -> Floats:
        """``[n]`` 1 where the predicted class is the label, else 0."""
        return np.where(np.isnan(self.predicted), np.nan, self.predicted == label)


def ask(predict: Predict, images: Iterable[Block], label: Ints) -> Answers:
    """What the model says of images of the given classes; logits that are not finite are no answer (NaN).

    Raises:
        BenchmarkError: If the logits are not ``[n, K]``, or a label is no class of the model.
    """
    said: list[Floats] = []
    for _, image, mask in images:
        logits = np.asarray(predict(image, mask), np.float64)
        if logits.ndim != 2 or logits.shape[:2] != (len(image), (said or [logits])[0].shape[1]):
            expected = f"shape ({len(image)}, K), with one K for all images"
            raise BenchmarkError("logits of a model", got=logits.shape, expected=expected)
        said.append(logits)
    logits = np.concatenate(said) if said else np.empty((0, 1))
    if len(label) and not 0 <= label.min() <= label.max() < logits.shape[1]:
        got = np.unique(label)[[0, -1]].tolist()
        raise BenchmarkError("labels of the shown images", got=got, expected=f"classes below {logits.shape[1]}")
    there = np.asarray(np.isfinite(logits).all(1))
    logits[~there] = 0
    predicted = np.where(there, logits.argmax(1), np.nan)
    return Answers(predicted, np.where(there[:, None], softmax(logits, axis=1), np.nan))


def measure(predict: Predict, composites: Composites) -> Measured:
    """The behaviour of one trained model.

    Args:
        predict: The model.
        composites: Of :func:`benchmark.behaviour.prepare.prepare`.

    Returns:
        (metric, variant) to ``[M]``, in the order of the variant's images. An image without foreground or without
        background has NaN. A metric whose variants are missing is left out.

    Raises:
        BenchmarkError: If the model's logits are not ``[n, K]``, or a label is none of its classes.
    """
    found: Measured = {}
    if "iid" in composites.shown:
        found |= measured("iid", of_backgrounds(predict, composites), composites)
        found |= measured("iid", of_regions(predict, composites), composites)
    if "deceiving" in composites.shown and composites.shown["deceiving"].same_images(composites.shown.get("ood")):
        found |= measured("deceiving", of_injection(predict, composites), composites)
    return found


def measured(variant: str, values: dict[str, Floats], composites: Composites) -> Measured:
    """Values by metric and variant, NaN where an image has no foreground or no background."""
    usable = composites.shown[variant].usable
    return {(name, variant): np.where(usable, value, np.nan).astype(np.float32) for name, value in values.items()}


def of_backgrounds(predict: Predict, composites: Composites) -> dict[str, Floats]:
    """In front of other backgrounds, of other classes and of the own one."""
    label = composites.shown["iid"].label
    before = ask(predict, composites.as_shown("iid"), label)
    found: dict[str, Floats] = {}
    for kind, chosen in (("other", composites.other), ("same", composites.same)):
        image, place = np.nonzero(chosen != NONE)
        after = ask(predict, composites.swapped(image, chosen[image, place]), label[image])
        predicted, probability, right = (np.full(chosen.shape, np.nan) for _ in range(3))
        predicted[image, place] = after.predicted
        probability[image, place] = after.of(label[image])
        right[image, place] = after.right(label[image])
        found[f"swapped_{kind}_accuracy"] = metrics.mean_of_defined(right)
        if kind == "other":
            found["background_swap_flip_rate"] = metrics.flip_rate(before.predicted, predicted)
            found["background_swap_effect"] = metrics.effect(before.of(label), probability)
            found["adversarial_background_robustness"] = metrics.all_right(right)
    return found | {
        "background_gap": metrics.difference(found["swapped_same_accuracy"], found["swapped_other_accuracy"])
    }


def of_regions(predict: Predict, composites: Composites) -> dict[str, Floats]:
    """Without the foreground, and with noise in one region."""
    iid = composites.shown["iid"]
    views = {
        "only_background_accuracy": composites.only_background(),
        "no_foreground_accuracy": composites.no_foreground(),
        "foreground_noise_accuracy": composites.noisy(foreground=True),
        "background_noise_accuracy": composites.noisy(foreground=False),
    }
    found = {name: ask(predict, view, iid.label).right(iid.label) for name, view in views.items()}
    # Where the box is the whole image there is no background around it: the foreground is still there.
    nothing_around = boxes(iid.mask).all((1, 2))
    found["only_background_accuracy"][nothing_around] = np.nan
    return found


def of_injection(predict: Predict, composites: Composites) -> dict[str, Floats]:
    """What another class's mark does to an image that has none; NaN where the image got no mark."""
    deceiving, ood = composites.shown["deceiving"], composites.shown["ood"]
    without, marked = (ask(predict, composites.as_shown(variant), deceiving.label) for variant in ("ood", "deceiving"))
    told = composites.speaks_for(deceiving.code, marked.probability.shape[1])
    gap = metrics.difference(without.right(ood.label), marked.right(deceiving.label))
    pull = ((marked.probability - without.probability) * told).sum(1)
    return {
        "injection_gap": np.where(told.any(1), gap, np.nan),
        "injection_pull": np.where(told.any(1), pull, np.nan),
    }
