import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmark.data.masks import ink_mask


def picture(text):
    """``#`` is full ink, ``.`` is none: ``[1, H, W, 1]``."""
    rows = text.split()
    return np.array([[255 * (mark == "#") for mark in row] for row in rows], np.uint8)[None, :, :, None]


def mask_of(text):
    return (picture(text)[..., 0] == 255).astype(np.uint8)


STROKE = """
#......
.......
.......
...##..
.......
"""
BY_ONE = """
##.....
##.....
..####.
..####.
..####.
"""
BY_TWO = """
###....
#######
#######
.######
.######
"""


@pytest.mark.parametrize(("dilate_px", "expected"), [(0, STROKE), (1, BY_ONE), (2, BY_TWO)])
def test_dilation_by_hand(dilate_px, expected):
    assert ink_mask(picture(STROKE), 0.1, dilate_px).tolist() == mask_of(expected).tolist()


@pytest.mark.parametrize(
    ("threshold", "last_background", "first_ink"),
    [(0.1, 25, 26), (0.2, 51, 52), (0.0, 0, 1), (0.5, 127, 128)],  # 0.1 * 255 = 25.5; 0.2 * 255 = 51: not brighter
)
def test_ink_is_brighter_than_the_threshold(threshold, last_background, first_ink):
    image = np.array([last_background, first_ink], np.uint8).reshape(1, 1, 2, 1)
    assert ink_mask(image, threshold, 0).tolist() == [[[0, 1]]]


def test_ink_in_one_channel_is_enough():
    image = np.zeros((1, 1, 3, 3), np.uint8)
    image[0, 0, 2, 1] = 200
    assert ink_mask(image, 0.1, 0).tolist() == [[[0, 0, 1]]]


@settings(deadline=None)
@given(arrays(np.uint8, (3, 5, 4, 1)), st.integers(0, 2))
def test_each_image_is_masked_alone_and_nothing_is_lost(image, dilate_px):
    mask = ink_mask(image, 0.1, dilate_px)
    assert (mask.shape, mask.dtype) == ((3, 5, 4), np.uint8)
    for row in range(3):
        assert mask[row].tolist() == ink_mask(image[row : row + 1], 0.1, dilate_px)[0].tolist()
        for y, x in np.ndindex(5, 4):
            near = image[row, max(y - dilate_px, 0) : y + dilate_px + 1, max(x - dilate_px, 0) : x + dilate_px + 1]
            assert mask[row, y, x] == (near.max() > 25.5)
