from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.api import PlantedBias
from benchmark.behaviour.composites import SIGMA, noise_of
from benchmark.behaviour.partners import NONE
from benchmark.behaviour.prepare import BACKGROUNDS, BLOCK, prepare
from benchmark.errors import BenchmarkError
from benchmark.plan import Marks
from benchmark.seeding import Draws
from tests.behaviour.scenes import MARK, PAPER, SIDE, ink, shown, variants


def whole(blocks):
    """All blocks put together; their rows must follow one another without a hole."""
    rows, images, masks = zip(*blocks, strict=True)
    assert [each.start for each in rows] == [0, *(each.stop for each in rows[:-1])]
    assert [each.stop - each.start for each in rows] == [len(image) for image in images]
    assert all(len(image) <= BLOCK for image in images)
    return np.concatenate(images), np.concatenate(masks)


def test_a_swapped_image_has_its_own_foreground_and_anothers_background_and_mark():
    composites = prepare(variants(30))
    iid = composites.shown["iid"]
    row, place = np.nonzero(composites.other != NONE)
    behind = composites.other[row, place]
    image, mask = whole(composites.swapped(row, behind))
    assert len(image) == 30 * BACKGROUNDS
    expected = np.full((len(row), SIDE, SIDE), PAPER)
    expected[:, 4:8, 4:8] = ink(iid.label[row])[:, None, None]
    expected[np.arange(len(row)), 0, iid.code[behind]] = MARK
    np.testing.assert_array_equal(image[..., 0], expected)
    np.testing.assert_array_equal(mask, iid.mask[row])
    assert (iid.label[behind] != iid.label[row]).all()


def test_what_is_left_without_the_foreground_comes_with_an_empty_mask():
    composites = prepare(variants(6))
    marked = np.full((6, SIDE, SIDE), PAPER)
    marked[np.arange(6), 0, composites.shown["iid"].label] = MARK
    image, mask = whole(composites.only_background())
    np.testing.assert_array_equal(image[..., 0], marked)
    assert not mask.any()
    image, mask = whole(composites.no_foreground())
    marked[:, 4:8, 4:8] = 0
    np.testing.assert_array_equal(image[..., 0], marked)
    assert not mask.any()


def test_noise_comes_in_one_region_and_from_one_field():
    images = variants(3)
    iid = replace(images["iid"], image=np.full((3, SIDE, SIDE, 1), 128, np.uint8))
    composites = prepare({"iid": iid})
    front, front_mask = whole(composites.noisy(foreground=True))
    behind, behind_mask = whole(composites.noisy(foreground=False))
    inside = iid.mask == 1
    assert (front[~inside] == 128).all()
    assert (behind[inside] == 128).all()
    np.testing.assert_array_equal(front_mask, iid.mask)
    np.testing.assert_array_equal(behind_mask, iid.mask)
    # 16 pixels in front and 128 behind: the setting is the standard deviation in a region of 72. In front it is so
    # large that most pixels are clipped: what is left of each is known from the noise.
    noise = noise_of(iid.id, SIDE, SIDE, 1).astype(np.float64)
    expected = np.clip(128 + 255 * SIGMA * np.sqrt(72 / 16) * noise, 0, 255)
    assert np.abs(front[inside] - expected[inside]).max() <= 0.51
    assert behind[~inside].astype(float).std() == pytest.approx(255 * SIGMA * np.sqrt(72 / 128), rel=0.1)
    again, _ = whole(prepare({"iid": iid}).noisy(foreground=False))
    np.testing.assert_array_equal(again, behind)


def test_images_as_shown_are_the_images_in_blocks():
    composites = prepare(variants(2 * BLOCK + 3))
    for name, images in composites.shown.items():
        image, mask = whole(composites.as_shown(name))
        np.testing.assert_array_equal(image, images.image)
        np.testing.assert_array_equal(mask, images.mask)


def test_borrowed_marks_are_seen_whole_beside_a_foreground_that_does_not_meet_them():
    composites = prepare(variants(12))
    there = composites.other != NONE
    assert (composites.visible(composites.other)[there] == 1).all()
    assert np.isnan(composites.visible(np.full((12, 5), NONE))).all()


@settings(max_examples=50, deadline=None)
@given(classes=st.integers(2, 6), codes=st.none() | st.integers(2, 15), seed=st.integers(0, 1000))
def test_a_mark_speaks_for_the_classes_that_bear_it_in_training_and_for_no_deceived_one(classes, codes, seed):
    marks = Marks(PlantedBias.Settings(version=1, codes=codes, seed=seed), classes)
    label = np.repeat(np.arange(classes), 8)
    draws = Draws(seed, np.array([f"image_{n}" for n in range(len(label))]))
    composites = prepare({}, codes)
    row = np.arange(len(label))
    assert composites.speaks_for(marks.trained(label, draws), classes)[row, label].all()
    told = composites.speaks_for(marks.deceiving(label, draws), classes)
    assert not told[row, label].any()
    assert told.any(1).all()


def test_no_mark_speaks_for_nobody_and_a_shared_one_for_each_of_its_classes():
    code = np.array([-1, 0, 1])
    np.testing.assert_array_equal(prepare({}).speaks_for(code, 3), [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(prepare({}, 2).speaks_for(code, 3), [[0, 0, 0], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(prepare({}, 6).speaks_for(np.array([4]), 3), [[0, 1, 0]])


def test_without_iid_images_there_are_no_partners():
    composites = prepare({"ood": variants(6)["ood"]})
    assert composites.background is None
    assert composites.other.shape == composites.same.shape == (0, BACKGROUNDS)


def test_no_images_at_all_are_prepared_too():
    nobody = variants(6)["iid"].take(slice(0, 0))
    composites = prepare({"iid": nobody})
    assert composites.background.shape == (0, SIDE, SIDE, 1)
    assert list(composites.only_background()) == []


def test_few_images_get_as_many_backgrounds_as_there_are():
    composites = prepare({"iid": shown([0, 1, 0], [0, 1, 0])})
    assert (composites.other != NONE).sum(1).tolist() == [1, 2, 1]
    assert (composites.same != NONE).sum(1).tolist() == [1, 0, 1]


def test_an_unknown_variant_and_no_codes_are_told():
    with pytest.raises(BenchmarkError, match=r"unknown variant.*'iod'.*'iid'"):
        prepare({"iod": variants(6)["iid"]})
    for codes in (0, -1):
        with pytest.raises(BenchmarkError, match="number of codes"):
            prepare(variants(6), codes)
