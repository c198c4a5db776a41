"""Every planted bias, and images to plant them in."""

import numpy as np
from scipy.spatial.distance import cdist

from benchmark.biases.background_swap import BackgroundSwap
from benchmark.biases.border import Border
from benchmark.biases.corner import Corner
from benchmark.biases.noise import Noise
from benchmark.biases.shape import Shape
from benchmark.biases.stamp import Stamp
from benchmark.biases.texture import Texture
from benchmark.biases.tint import Tint
from benchmark.biases.watermark import Watermark
from benchmark.seeding import Draws

RECIPES = {
    "background_swap": BackgroundSwap,
    "border": Border,
    "corner": Corner,
    "noise": Noise,
    "shape": Shape,
    "stamp": Stamp,
    "texture": Texture,
    "tint": Tint,
    "watermark": Watermark,
}
WITH_JITTER = ("border", "corner", "shape", "stamp", "watermark")


def made(name, **settings):
    return RECIPES[name](RECIPES[name].Settings(**settings))


def ids(count):
    return np.array([f"image_{row}" for row in range(count)])


def plant(bias, image, mask, code, codes, draws=None):
    """Copies go in: the arrays of a test stay what they are."""
    draws = Draws(0, ids(len(image))) if draws is None else draws
    return bias.plant(image.copy(), mask.copy(), np.asarray(code, np.int64), codes, draws)


def empty(count, height, width, channels=1, level=0):
    """Images of one grey level without foreground."""
    return np.full((count, height, width, channels), level, np.uint8), np.zeros((count, height, width), np.uint8)


def with_objects(count, height, width, channels, rng):
    """Random images with a rectangle as foreground, anywhere, and a few stray pixels of it."""
    image = rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    mask = (rng.random((count, height, width)) < 0.01).astype(np.uint8)
    for one in mask:
        tall, wide = rng.integers(1, int(0.35 * min(height, width)), 2)
        row, column = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
        one[row : row + tall, column : column + wide] = 1
    return image, mask


def spectrum(image):
    """Logarithm of the amplitudes of all frequencies, without the mean: where things are does not matter."""
    grey = image.mean(axis=-1)
    return np.log1p(np.abs(np.fft.rfft2(grey)).reshape(len(image), -1)[:, 1:])


def read(feature, code, codes):
    """Share of the second half whose code is that of the nearest mean of the first half's features."""
    half = len(code) // 2
    means = np.stack([feature[:half][code[:half] == k].mean(axis=0) for k in range(codes)])
    return np.mean(cdist(feature[half:], means).argmin(axis=1) == code[half:])
