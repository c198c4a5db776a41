"""What every model of a task is shown: the partners of each image and their backgrounds, made once.

The composites themselves are put together while a model is asked, a block at a time: for five backgrounds an image
they would fill ten times the memory of the images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.api import VARIANTS, Floats, Ints, UInt8
from benchmark.behaviour import composites as pixels
from benchmark.behaviour.partners import NONE, partners, visible_share
from benchmark.behaviour.shown import Shown
from benchmark.errors import BenchmarkError, raise_unknown

BACKGROUNDS = 5
"""How many other backgrounds each image gets, of other classes and of its own."""

BLOCK = 250
"""Images that a model is asked about at once."""

Block = tuple[slice, UInt8, UInt8]
"""Which rows, their images ``[n, H, W, C]`` and the masks ``[n, H, W]`` that a model with a mask at test gets."""


@dataclass(frozen=True, eq=False)
class Composites:
    """Images of a task, ready to be taken apart and put together.

    Attributes:
        shown: Variant to images.
        codes: How many different marks there are; ``None``: one a class.
        background: ``[M, H, W, C]`` the iid images without their foregrounds; ``None`` without that variant.
        other: ``[M, 5]`` iid rows whose backgrounds each iid image gets, of other classes.
        same: ``[M, 5]`` the same, of its own class.
    """

    shown: Mapping[str, Shown]
    codes: int | None
    background: UInt8 | None
    other: Ints
    same: Ints

    def visible(self, chosen: Ints) -> Floats:
        """``[M, 5]`` which share of a borrowed mark the foreground leaves visible; NaN without a mark."""
        iid = self.shown["iid"]
        return visible_share(iid, np.arange(len(iid)), chosen)

    def speaks_for(self, code: Ints, classes: int) -> NDArray[np.bool_]:
        """``[M, K]`` the classes that a mark speaks for, as :class:`benchmark.plan.Marks` gives them; none without."""
        groups = min(self.codes or classes, classes)
        return np.asarray((code[:, None] >= 0) & (code[:, None] % groups == np.arange(classes) % groups))

    def swapped(self, image: Ints, behind: Ints) -> Iterator[Block]:
        """The iid images of rows ``image [n]`` in front of the backgrounds of rows ``behind [n]``."""
        iid = self.shown["iid"]
        if self.background is not None:
            for rows in blocks(len(image)):
                front, mask = image[rows], iid.mask[image[rows]]
                yield rows, pixels.paste(iid.image[front], mask, self.background[behind[rows]]), mask

    def only_background(self) -> Iterator[Block]:
        """The iid images without their foreground's box. There is no foreground left: the mask is empty."""
        for rows, iid in parts(self.shown["iid"]):
            yield rows, pixels.without_box(iid.image, iid.mask, iid.mark), np.zeros_like(iid.mask)

    def no_foreground(self) -> Iterator[Block]:
        """The iid images, their foregrounds black. The mask is empty, as the mask of what is shown."""
        for rows, iid in parts(self.shown["iid"]):
            yield rows, pixels.without_foreground(iid.image, iid.mask), np.zeros_like(iid.mask)

    def noisy(self, foreground: bool) -> Iterator[Block]:
        """The iid images with noise in one region: the same noise field for both regions of an image."""
        for rows, iid in parts(self.shown["iid"]):
            noise = pixels.noise_of(iid.id, *iid.image.shape[1:])
            yield rows, pixels.with_noise(iid.image, (iid.mask == 1) == foreground, noise), iid.mask

    def as_shown(self, variant: str) -> Iterator[Block]:
        """The images of a variant as they are."""
        for rows, part in parts(self.shown[variant]):
            yield rows, part.image, part.mask


def blocks(count: int) -> Iterator[slice]:
    """All of ``count`` rows, :data:`BLOCK` at a time."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def parts(shown: Shown) -> Iterator[tuple[slice, Shown]]:
    """The images, :data:`BLOCK` at a time."""
    for rows in blocks(len(shown)):
        yield rows, shown.take(rows)


def prepare(shown: Mapping[str, Shown], codes: int | None = None) -> Composites:
    """All that depends on the images alone, once for every model of a task.

    Args:
        shown: Variant to images; any may be missing.
        codes: The bias's number of different marks (default: one a class).

    Raises:
        BenchmarkError: If a variant is unknown or there is no code.
    """
    for variant in shown:
        if variant not in VARIANTS:
            raise_unknown("variant of the shown images", variant, VARIANTS)
    if codes is not None and codes < 1:
        raise BenchmarkError("number of codes", got=codes, expected="1 or more")
    if (iid := shown.get("iid")) is None:
        nobody = np.full((0, BACKGROUNDS), NONE, np.int64)
        return Composites(shown, codes, None, nobody, nobody)
    background = [pixels.background_of(part.image, part.mask, part.mark) for _, part in parts(iid)]
    other, same = (partners(iid, same_class, BACKGROUNDS) for same_class in (False, True))
    return Composites(shown, codes, np.concatenate(background) if background else iid.image, other, same)
