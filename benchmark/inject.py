"""From a pack to a biased pack, block by block: each image is read once and planted in every subset that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.api import NO_CODE, Bias, Images, Index, Ints, PlantedBias, Selection, UInt8
from benchmark.data.pack import read_blocks
from benchmark.data.pack_write import Group, created
from benchmark.errors import BenchmarkError
from benchmark.plan import Marks, class_count, plan
from benchmark.seeding import Draws

COUNTERFACTUAL = "counterfactual"
NUMBER = re.compile(r"image number (\d+)")


@dataclass(frozen=True)
class Subset:
    """Images as a model meets them.

    Attributes:
        images: With the marks planted, and labels as the subset gives them.
        mark: ``[N, H, W]`` 1 = pixel of the mark.
        code: ``[N]`` which mark, or :data:`benchmark.api.NO_CODE`.
    """

    images: Images
    mark: UInt8
    code: Ints

    def columns(self) -> dict[str, NDArray[Any]]:
        return {**self.images.columns(), "mark": self.mark, "code": self.code}


def plant(images: Images, code: Ints, bias: Bias, codes: int) -> Subset:
    """Plants the marks of ``code`` and holds the bias to its contract.

    Raises:
        BenchmarkError: If the bias touched the foreground, or marked it, or changed a pixel outside its mark.
    """
    mark = np.zeros_like(images.mask)
    rows = np.flatnonzero(code != NO_CODE)
    if not isinstance(bias, PlantedBias) or len(rows) == 0:
        return Subset(images, mark, code)
    before, mask = images.image[rows], images.mask[rows]
    try:
        draws = Draws(bias.settings.seed, images.id[rows])
        after, found = bias.plant(before.copy(), mask.copy(), code[rows], codes, draws)  # whatever it does to them
    except BenchmarkError as error:
        raise named(error, images.id[rows]) from error
    if after.shape != before.shape or after.dtype != np.uint8 or found.shape != mask.shape:
        raise BenchmarkError(
            f"bias {type(bias).__name__} broke its contract",
            got=f"{after.dtype} {after.shape} and {found.shape}",
            expected=f"uint8 {before.shape} and {mask.shape}",
            do="Mend the bias's plant().",
        )
    unseen = np.flatnonzero(~found.any(axis=(1, 2)))
    if len(unseen):
        raise BenchmarkError(
            f"bias {type(bias).__name__} planted no mark in image {str(images.id[rows[unseen[0]]])!r}",
            expected="a mark, or an error that says why there is no room",
            do="Mend the bias's plant().",
        )
    allowed = (found != 0) & (mask == 0)
    if (found != 0).sum() != allowed.sum() or (changed(before, after) & ~allowed).any():
        raise BenchmarkError(
            f"bias {type(bias).__name__} broke its contract",
            got="a changed pixel that its mark mask does not hold, or a mark on the foreground",
            expected="changes on the returned mark only, strictly outside the mask",
            do="Mend the bias's plant().",
        )
    whole = len(rows) == len(code)
    image = after if whole else images.image.copy()
    if not whole:
        image[rows] = after
    mark[rows] = found != 0
    return Subset(replace(images, image=image), mark, code)


def named(error: BenchmarkError, ids: NDArray[np.str_]) -> BenchmarkError:
    """The error of a bias about ``image number N``, with the image's id instead."""
    what = NUMBER.sub(lambda found: f"image {str(ids[int(found[1])])!r}", error.what)
    return BenchmarkError(what, got=error.got, expected=error.expected, do=error.do)


def changed(before: UInt8, after: UInt8) -> NDArray[np.bool_]:
    """Which pixels differ in any channel, ``[N, H, W]``; channel by channel, as NumPy is slow on short axes."""
    differs = np.zeros(before.shape[:3], dtype=bool)
    for channel in range(before.shape[-1]):
        differs |= before[..., channel] != after[..., channel]
    return differs


def part_of(selection: Selection, block: slice) -> Selection:
    """What a selection shows of a block of rows, counted from the block's first."""
    start, stop = np.searchsorted(selection.rows, [block.start, block.stop])
    return Selection(selection.rows[start:stop] - block.start, selection.code[start:stop], selection.label[start:stop])


def shown(name: str, block: Images, selection: Selection, bias: Bias, codes: int) -> Subset:
    """What a subset shows of a block. Images that come under several marks are named ``id@code``, once planted."""
    images = replace(block.take(selection.rows), label=selection.label)
    subset = plant(images, selection.code, bias, codes)
    if name != COUNTERFACTUAL:
        return subset
    ids = np.array([f"{id_}@{code}" for id_, code in zip(images.id, selection.code, strict=True)])
    return replace(subset, images=replace(subset.images, id=ids))


def codes_of(bias: Bias, classes: int) -> int:
    """How many different marks there are."""
    return Marks(bias.settings, classes).codes if isinstance(bias, PlantedBias) else classes


def inject(images: Images, bias: Bias) -> dict[str, Subset]:
    """All subsets of a biased pack, in memory."""
    codes = codes_of(bias, class_count(images))
    return {name: shown(name, images, chosen, bias, codes) for name, chosen in plan(images, bias).items()}


Look = Callable[[str, Subset, Images, Ints], None]
"""``(subset's name, its next images, the block they come from, their rows in it)``."""


def inject_pack(
    source: Path, index: Index, target: Path, bias: Bias, attributes: Mapping[str, Any], look: Look
) -> dict[str, int]:
    """Plants a bias into a pack and writes the biased one, a block of images in memory at a time.

    Args:
        source: The pack.
        index: Its index.
        target: The biased pack.
        bias: The bias.
        attributes: Provenance.
        look: Is shown every part of every subset, for manifests and pictures.

    Returns:
        The number of images of each subset.

    Raises:
        BenchmarkError: As :func:`plan` and :func:`plant`.
    """
    subsets = plan(index, bias)
    codes = codes_of(bias, class_count(index))
    with created(target, attributes) as file:
        files = {name: Group(file, name, len(chosen.rows)) for name, chosen in subsets.items()}
        for block, images in blocks(source, index):
            for name, chosen in subsets.items():
                part = part_of(chosen, block)
                if len(part.rows):
                    subset = shown(name, images, part, bias, codes)
                    files[name].append(subset.columns())
                    look(name, subset, images, part.rows)
    return {name: len(chosen.rows) for name, chosen in subsets.items()}


def blocks(source: Path, index: Index) -> Iterator[tuple[slice, Images]]:
    """The images of a pack, block by block."""
    for block, image, mask in read_blocks(source, index, slice(0, len(index))):
        yield block, Images(image=image, mask=mask, **index.take(block).columns())
