"""Images that a tiny pack is made of, and a bias that draws."""

import zlib

import numpy as np

from benchmark.api import Images, Index, PlantedBias
from benchmark.data.masks import ink_mask


def thirds(count: int) -> np.ndarray:
    """Half of the images for training, a quarter for validation, the rest for the test; in this order."""
    return np.array(["train"] * (count // 2) + ["val"] * (count // 4) + ["test"] * (count - count // 2 - count // 4))


def bars(count: int) -> Images:
    """Images 28 x 28 with a bright bar whose place is the class."""
    label = np.arange(count) % 3
    image = np.zeros((count, 28, 28, 1), np.uint8)
    for row, k in enumerate(label):
        image[row, 8 + 3 * k : 11 + 3 * k, 8:20] = 100 + row
    index = made_index(label, thirds(count))
    return Images(image=image, mask=ink_mask(image, 0.1, 1), **index.columns())


def made_index(label: np.ndarray, split: np.ndarray, source: np.ndarray | None = None, first: int = 0) -> Index:
    """An index of images with numbered names, each a unit of its own."""
    ids = np.array([f"image_{number}" for number in range(first, first + len(label))])
    return Index(
        label=np.asarray(label, dtype=np.int64),
        unit=ids,
        source=np.full(len(label), "made") if source is None else source,
        split=split,
        id=ids,
        mask_kind=np.full(len(label), "made"),
    )


def shuffled_index(count: int, classes: int, splits: tuple[str, ...] = ("train", "val", "test")) -> Index:
    """As many images of every split, every class in each, in no order."""
    order = np.random.default_rng(1).permutation(count)
    number = np.arange(count)
    return made_index((number // len(splits) % classes)[order], np.array(splits)[number % len(splits)][order])


def with_pixels(index: Index, side: int = 12, channels: int = 1) -> Images:
    """Noise, which each image's name decides, with a foreground in the middle."""
    image = np.zeros((len(index), side, side, channels), np.uint8)
    for row, name in enumerate(index.id.tolist()):
        image[row] = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 200, image.shape[1:])
    mask = np.zeros((len(index), side, side), np.uint8)
    mask[:, side // 3 : -(side // 3), side // 3 : -(side // 3)] = 1
    return Images(image=image, mask=mask, **index.columns())


class Specks(PlantedBias):
    """Single pixels at random places of the background, as bright as the code says."""

    source = "a test"

    def plant(self, image, mask, code, codes, draws):  # type: ignore[no-untyped-def]
        count, height, width = mask.shape
        mark = np.zeros_like(mask)
        place = (draws.uniform("place", 5) * height * width).astype(int)
        mark.reshape(count, -1)[np.arange(count)[:, None], place] = 1
        mark &= 1 - mask
        bright = (200 + 55 * code // codes).astype(np.uint8)[:, None, None, None]
        return np.where(mark[..., None] == 1, bright, image).astype(np.uint8), mark
