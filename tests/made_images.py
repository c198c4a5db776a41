"""Images that a tiny pack is made of."""

import numpy as np

from benchmark.api import Images
from benchmark.data.masks import ink_mask


def bars(count: int) -> Images:
    """Images 28 x 28 with a bright bar whose place is the class."""
    label = np.arange(count) % 3
    image = np.zeros((count, 28, 28, 1), np.uint8)
    for row, k in enumerate(label):
        image[row, 8 + 3 * k : 11 + 3 * k, 8:20] = 100 + row
    split = np.array(["train"] * (count // 2) + ["val"] * (count // 4) + ["test"] * (count - count // 2 - count // 4))
    ids = np.array([f"image_{row}" for row in range(count)])
    return Images(image, ink_mask(image, 0.1, 1), label, ids, np.full(count, "made"), split, ids)
