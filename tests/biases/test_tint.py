import colorsys

import numpy as np
import pytest
from recipes import empty, made, plant

from benchmark.errors import BenchmarkError


@pytest.mark.parametrize(
    ("code", "strength", "expected"),
    [
        (0, 1.0, [255, 0, 0]),
        (1, 1.0, [0, 255, 0]),
        (2, 1.0, [0, 0, 255]),
        (0, 0.25, [115, 78, 90]),  # (68, 104, 120) and a quarter of the way to red: 68 + 46.75, 104 - 26, 120 - 30
        (2, 0.5, [34, 52, 188]),  # half-way to blue: 120 + 67.5 = 187.5, to the even
        (1, 0.0, [68, 104, 120]),
    ],
)
def test_a_pixel_computed_by_hand(code, strength, expected):
    image, mask = empty(1, 28, 28, 3)
    image[:] = 68, 104, 120
    one, _ = plant(made("tint", strength=strength), image, mask, [code], 3)
    assert (one == np.array(expected)).all()


@pytest.mark.parametrize(("code", "expected"), [(0, 51), (1, 102), (2, 153), (3, 204)])
def test_on_one_channel_the_brightness_tells(code, expected):
    image, mask = empty(1, 28, 28, 1, level=10)
    one, _ = plant(made("tint"), image, mask, [code], 4)
    assert (one == expected).all()


def test_all_of_the_background_is_the_mark():
    image, mask = empty(1, 28, 28)
    mask[0, 5:9, 5:9] = 1
    one, mark = plant(made("tint"), image, mask, [0], 2)
    assert np.array_equal(mark, 1 - mask)
    assert not one[mask == 1].any()


@pytest.mark.parametrize(("channels", "codes"), [(1, 62), (3, 382)])
def test_a_simple_reader_tells_as_many_codes_apart_as_are_allowed(channels, codes):
    image, mask = empty(codes, 28, 28, channels)
    one, _ = plant(made("tint"), image, mask, np.arange(codes), codes)
    colour = one[:, 0, 0].astype(float)
    if channels == 1:
        found = np.rint(colour[:, 0] * (codes + 1) / 255 - 1)
    else:
        found = np.rint([colorsys.rgb_to_hsv(*rgb)[0] * codes for rgb in colour / 255])
    assert np.array_equal(found, np.arange(codes))
    with pytest.raises(BenchmarkError, match=f"number of codes of tint.*got {codes + 1}; expected {codes} at most"):
        plant(made("tint"), image[:1], mask[:1], [0], codes + 1)
