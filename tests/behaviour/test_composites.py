import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.behaviour.composites import (
    background_of,
    boxes,
    noise_of,
    paste,
    with_noise,
    without_box,
    without_foreground,
)
from benchmark.errors import BenchmarkError

seeds = st.integers(0, 10_000)
some = settings(max_examples=40, deadline=None)


def random_images(seed, count=3, height=7, width=6, channels=2):
    rng = np.random.default_rng(seed)
    image, other = rng.integers(0, 256, (2, count, height, width, channels), np.uint8)
    mask = (rng.random((count, height, width)) < rng.random()).astype(np.uint8)
    mark = ((rng.random((count, height, width)) < rng.random() / 2) & (mask == 0)).astype(np.uint8)
    return image, mask, mark, other


@some
@given(seed=seeds)
def test_pasting_keeps_every_foreground_pixel_and_shows_the_other_background_elsewhere(seed):
    image, mask, _, other = random_images(seed)
    pasted = paste(image, mask, other)
    assert (pasted[mask == 1] == image[mask == 1]).all()
    assert (pasted[mask == 0] == other[mask == 0]).all()


@some
@given(seed=seeds)
def test_filling_keeps_every_background_pixel_and_copies_a_nearest_one(seed):
    image, mask, _, _ = random_images(seed)
    filled = background_of(image, mask)
    assert (filled[mask == 0] == image[mask == 0]).all()
    for before, after, front in zip(image, filled, mask, strict=True):
        places = np.argwhere(front == 0)
        for y, x in np.argwhere(front == 1) if len(places) else []:
            distance = ((places - [y, x]) ** 2).sum(1)
            nearest = places[distance == distance.min()]
            assert any((after[y, x] == before[r, c]).all() for r, c in nearest)


def test_an_image_without_background_is_not_filled_and_one_without_foreground_is_left_alone():
    image = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(1, 2, 2, 3)
    for mask in (np.ones((1, 2, 2), np.uint8), np.zeros((1, 2, 2), np.uint8)):
        assert (background_of(image, mask) == image).all()
        assert (without_box(image, mask) == image).all()


def test_a_small_mark_does_not_spread_into_the_hole_but_a_tint_does():
    image = np.array([[5, 9, 0, 7, 7, 7]], np.uint8).reshape(1, 1, 6, 1)
    mask = np.array([[0, 0, 1, 0, 0, 0]], np.uint8)[None]
    mark = np.array([[0, 1, 0, 0, 0, 0]], np.uint8)[None]
    assert background_of(image, mask, mark)[0, 0, :, 0].tolist() == [5, 9, 7, 7, 7, 7]
    tint = np.array([[0, 0, 0, 1, 1, 1]], np.uint8)[None]
    image[0, 0, 1] = 5
    assert background_of(image, mask, tint)[0, 0, 2, 0] in (5, 7)
    image[0, 0, :, 0] = [5, 7, 0, 7, 7, 7]
    tint[0, 0, 1] = 1
    assert background_of(image, mask, tint)[0, 0, 2, 0] == 7


def test_a_box_spans_the_whole_foreground():
    mask = np.zeros((2, 5, 6), np.uint8)
    mask[0, 1, 2] = mask[0, 3, 4] = 1
    expected = np.zeros((2, 5, 6), bool)
    expected[0, 1:4, 2:5] = True
    assert (boxes(mask) == expected).all()


@some
@given(seed=seeds)
def test_without_its_box_an_image_says_nothing_of_what_was_in_it_but_marks(seed):
    image, mask, mark, other = random_images(seed)
    mask[:, 0], mark[:, 0] = 0, 0  # so that there is something around the box
    image[:, 0] = other[:, 0]
    inside = boxes(mask) & (mark == 0)
    swapped = np.where(inside[..., None], other, image)
    # The mark's pixels in the box stay, so both images agree everywhere else, and so must what is left of them.
    assert (without_box(image, mask, mark) == without_box(swapped, mask, mark)).all()
    assert (without_box(image, mask, mark)[~inside] == image[~inside]).all()


def test_a_blanked_foreground_is_black_and_the_rest_is_not_touched():
    image, mask, _, _ = random_images(1)
    blank = without_foreground(image, mask)
    assert not blank[mask == 1].any()
    assert (blank[mask == 0] == image[mask == 0]).all()


@some
@given(seed=seeds)
def test_noise_stays_in_its_region(seed):
    image, mask, _, _ = random_images(seed)
    noise = np.random.default_rng(seed).normal(size=image.shape).astype(np.float32)
    noisy = with_noise(image, mask == 1, noise)
    assert (noisy[mask == 0] == image[mask == 0]).all()


@pytest.mark.parametrize("side", [4, 16, 32])
def test_noise_has_the_same_norm_in_a_small_and_in_a_large_region(side):
    image = np.full((40, 32, 32, 1), 128, np.uint8)
    region = np.zeros(image.shape[:3], bool)
    region[:, :side, :side] = True
    noise = noise_of(np.array([f"image_{n}" for n in range(40)]), 32, 32, 1)
    added = with_noise(image, region, noise, sigma=0.01).astype(float) - 128
    norm = np.sqrt((added**2).sum((1, 2, 3)).mean())
    # Rounding adds a variance of 1/12 a pixel.
    expected = np.sqrt((255 * 0.01) ** 2 * 32 * 32 / 2 + side * side / 12)
    assert norm == pytest.approx(expected, rel=0.1 if side == 4 else 0.03)


def test_the_noise_of_an_image_depends_on_its_name_alone():
    ids = np.array(["a", "b", "c"])
    together = noise_of(ids, 3, 4, 2)
    np.testing.assert_array_equal(noise_of(ids[::-1], 3, 4, 2), together[::-1])
    np.testing.assert_array_equal(noise_of(ids[1:2], 3, 4, 2), together[1:2])
    assert not np.array_equal(together[0], together[1])
    assert noise_of(ids[:0], 3, 4, 2).shape == (0, 3, 4, 2)


def test_unequal_shapes_are_told():
    image = np.zeros((2, 3, 3, 1), np.uint8)
    with pytest.raises(BenchmarkError, match="images, masks and marks"):
        background_of(image, np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(BenchmarkError, match="images, masks and marks"):
        paste(image, np.zeros((2, 3, 3), np.uint8), image[:1])
