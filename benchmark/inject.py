"""From a pack to a biased pack: training and validation with the bias, the test set in its variants.

All variants show the *same* test images: ``iid`` with marks as in training, ``ood`` without a mark, ``deceiving`` with
the mark of another class, drawn uniformly for each image. ``balanced`` shows the validation images with all marks
equally often in every class: there the bias says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.api import Bias, Images, Ints, UInt8
from benchmark.errors import BenchmarkError

NO_CODE = -1
"""The code of an image without a mark."""


@dataclass(frozen=True)
class Subset:
    """Images as a model meets them.

    Attributes:
        images: With the marks planted.
        mark: ``[N, H, W]`` 1 = pixel of the mark.
        code: ``[N]`` which mark, or :data:`NO_CODE`.
    """

    images: Images
    mark: UInt8
    code: Ints

    def columns(self) -> dict[str, np.ndarray]:
        return {**vars(self.images), "mark": self.mark, "code": self.code}


def derange(label: Ints, classes: int, rng: np.random.Generator) -> Ints:
    """Another class for every image, uniform over the others.

    Raises:
        BenchmarkError: With fewer than two classes.
    """
    if classes < 2:
        raise BenchmarkError("a deceiving variant needs another class", got=f"{classes} class", expected="2 or more")
    return (label + rng.integers(1, classes, size=len(label))) % classes


def correlated(label: Ints, classes: int, correlation: float, rng: np.random.Generator) -> Ints:
    """The code of each image: its label with probability ``correlation``, else another class, uniform over the others.

    Raises:
        BenchmarkError: If the correlation is below chance.
    """
    if correlation < 1 / classes:
        raise BenchmarkError(
            "correlation of the bias",
            got=correlation,
            expected=f"1 / {classes} (chance, where the bias says nothing) to 1",
            do="Mend it in the bias's YAML.",
        )
    if correlation == 1:
        return label
    return np.where(rng.random(len(label)) < correlation, label, derange(label, classes, rng))


def balance(label: Ints, classes: int, rng: np.random.Generator) -> Ints:
    """Codes without regard to the label: within every class all codes come equally often, or once more or less."""
    code = np.empty_like(label)
    for k in np.unique(label):
        rows = np.flatnonzero(label == k)
        code[rows] = rng.permutation((np.arange(len(rows)) + rng.integers(classes)) % classes)
    return code


def plant(images: Images, code: Ints, bias: Bias, classes: int, rng: np.random.Generator) -> Subset:
    """Plants the marks of ``code`` and holds the bias to its contract.

    Raises:
        BenchmarkError: If the bias touched the foreground, or marked it.
    """
    image, mark = bias.plant(images.image.copy(), images.mask.copy(), code, classes, rng)  # whatever it does to them
    foreground = images.mask == 1
    if (mark.astype(bool) & foreground).any() or (image != images.image)[mark == 0].any():
        raise BenchmarkError(
            f"bias {type(bias).__name__} broke its contract",
            got="a changed pixel that its mark mask does not hold, or a mark on the foreground",
            expected="changes on the returned mark only, strictly outside the mask",
            do="Mend the bias's plant().",
        )
    return Subset(Images(**{**vars(images), "image": image}), mark, code)


def inject(images: Images, bias: Bias, rng: np.random.Generator) -> dict[str, Subset]:
    """All subsets of a biased pack: ``train``, ``val``, ``iid``, ``ood``, ``deceiving``, ``balanced``."""
    classes = int(images.label.max()) + 1
    train, val, test = (images.take(images.split == name) for name in ("train", "val", "test"))
    for name, part in (("train", train), ("val", val), ("test", test)):
        if len(part) == 0:
            raise BenchmarkError(f"split {name!r} holds no image", do="Check the data set's split.")
    unmarked = np.full(len(test), NO_CODE)

    def as_in_training(part: Images) -> Subset:
        return plant(part, correlated(part.label, classes, bias.settings.correlation, rng), bias, classes, rng)

    return {
        "train": as_in_training(train),
        "val": as_in_training(val),
        "iid": as_in_training(test),
        "ood": Subset(test, np.zeros_like(test.mask), unmarked),
        "deceiving": plant(test, derange(test.label, classes, rng), bias, classes, rng),
        "balanced": plant(val, balance(val.label, classes, rng), bias, classes, rng),
    }
