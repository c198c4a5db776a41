"""Tiny test images whose class can be read in two places, and models that read one of them."""

import numpy as np

from benchmark.api import NO_CODE
from benchmark.behaviour.shown import Shown

SIDE, CLASSES, SURE = 12, 3, 50.0
PAPER, MARK = 10, 200
"""Brightness of the background and of a mark: one pixel of the first row, whose column is the code."""


def ink(label):
    return 60 + 40 * np.asarray(label)


def shown(label, code, first=0, unit=None):
    label, code = np.asarray(label), np.asarray(code)
    count = len(label)
    mask = np.zeros((count, SIDE, SIDE), np.uint8)
    mask[:, 4:8, 4:8] = 1
    mark = np.zeros_like(mask)
    marked = np.flatnonzero(code != NO_CODE)
    mark[marked, 0, code[marked]] = 1
    image = np.where(mask == 1, ink(label)[:, None, None], np.where(mark == 1, MARK, PAPER)).astype(np.uint8)
    names = np.array([f"image_{number:03d}" for number in range(first, first + count)])
    return Shown(
        image=image[..., None],
        mask=mask,
        mark=mark,
        label=label,
        code=code,
        id=names,
        unit=names if unit is None else np.asarray(unit),
    )


def variants(count=30):
    """The three variants of a planted bias, classes in turn."""
    label = np.arange(count) % CLASSES
    codes = {"iid": label, "ood": np.full(count, NO_CODE), "deceiving": (label + 1 + np.arange(count) // 3 % 2) % 3}
    return {name: shown(label, code) for name, code in codes.items()}


def reads_mark(image, mask):
    """The code of a mark that is there exactly; else undecided, which counts as class 0."""
    return SURE * (image[:, 0, :CLASSES, 0] == MARK)


def reads_foreground(image, mask):
    """The class whose ink is nearest to that of one foreground pixel."""
    distance = np.abs(image[:, 5, 5, 0].astype(float)[:, None] - ink(np.arange(CLASSES)))
    return SURE * np.eye(CLASSES)[distance.argmin(1)]


def says_zero(image, mask):
    return np.tile([1.0, 0.0, 0.0], (len(image), 1))
