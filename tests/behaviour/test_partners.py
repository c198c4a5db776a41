from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.behaviour import partners as module
from benchmark.behaviour.partners import NONE, partners, visible_share
from tests.behaviour.scenes import shown, variants

some = settings(max_examples=25, deadline=None)
cases = given(seed=st.integers(0, 10_000), same_class=st.booleans())


def random_images(seed, count=14):
    """Three classes, units of several images; small foregrounds and marks at random, some masks empty or full."""
    rng = np.random.default_rng(seed)
    whole = shown(rng.integers(0, 3, count), rng.integers(-1, 3, count), unit=rng.integers(0, 8, count).astype(str))
    mask = (rng.random((count, 4, 4)) < rng.random((count, 1, 1))).astype(np.uint8)
    mask[0], mask[1] = 0, 1
    mark = ((rng.random(mask.shape) < 0.2) & (mask == 0)).astype(np.uint8)
    order = rng.permutation(count)
    image = rng.integers(0, 256, (count, 4, 4, 1), np.uint8)
    return replace(whole, image=image, mask=mask, mark=mark, id=whole.id[order])


def fitting(images, row, same_class):
    """All rows that may lend their background to an image, one by one."""
    return {
        other
        for other in range(len(images))
        if images.usable[row]
        and images.usable[other]
        and images.unit[other] != images.unit[row]
        and (images.label[other] == images.label[row]) == same_class
        and (not images.mark[other].any() or (images.mark[other] > images.mask[row]).any())
    }


@some
@cases
def test_partners_are_other_units_of_the_right_class_whose_marks_are_seen_and_as_many_as_there_are(seed, same_class):
    images = random_images(seed)
    for row, chosen in enumerate(partners(images, same_class, 4).tolist()):
        able, found = fitting(images, row, same_class), [other for other in chosen if other != NONE]
        assert set(found) <= able - {row}
        assert len(found) == len(set(found)) == min(4, len(able))
        assert chosen[len(found) :] == [NONE] * (4 - len(found))


@some
@cases
def test_partners_do_not_depend_on_the_order_of_the_images(seed, same_class):
    images = random_images(seed)
    order = np.random.default_rng(seed + 1).permutation(len(images))

    def names(some_images):
        chosen = partners(some_images, same_class, 3)
        return np.where(chosen == NONE, "", some_images.id[chosen])

    np.testing.assert_array_equal(names(images.take(order)), names(images)[order])


@some
@cases
def test_fewer_partners_are_the_first_of_more(seed, same_class):
    images = random_images(seed)
    np.testing.assert_array_equal(partners(images, same_class, 2), partners(images, same_class, 6)[:, :2])


def test_partners_are_the_same_however_many_images_are_ranked_at_once(monkeypatch):
    images = random_images(3, count=40)
    whole = partners(images, False, 5)
    monkeypatch.setattr(module, "CELLS", 1)
    np.testing.assert_array_equal(partners(images, False, 5), whole)


def test_partners_of_many_images_are_spread_evenly_over_the_lenders():
    images = variants(300)["iid"]
    lent = np.bincount(partners(images, False, 5).ravel(), minlength=300)
    assert lent.sum() == 1500
    # Each image lends to each of 200 others with probability 5/200: mean 5, variance 5 (1 - 5/200).
    assert lent.mean() == 5
    assert lent.var() == pytest.approx(4.9, rel=0.3)
    assert lent.max() < 5 + 6 * np.sqrt(4.9)


def test_partners_of_one_class_and_of_others_are_drawn_apart():
    # All images with one label, then all with labels of their own: the lenders are the same, only the wish differs.
    alike = shown(np.zeros(40, int), np.full(40, -1))
    unlike = replace(alike, label=np.arange(40))
    assert (partners(alike, True, 5) != partners(unlike, False, 5)).any()


@pytest.mark.parametrize("same_class", [True, False])
def test_without_anyone_to_lend_there_are_no_partners(same_class):
    lonely = shown([0, 0, 1, 1], [0, 0, 1, 1], unit=["a", "a", "a", "a"])
    assert (partners(lonely, same_class, 2) == NONE).all()
    nothing = replace(shown([0, 1, 0], [0, 1, 0]), mask=np.zeros((3, 12, 12), np.uint8))
    assert (partners(nothing, same_class, 2) == NONE).all()
    assert partners(lonely.take(slice(0, 0)), same_class, 2).shape == (0, 2)


def test_the_visible_share_is_what_the_foreground_leaves_of_the_mark():
    images = shown([0, 1, 2], [0, 1, -1])
    mark = images.mark.copy()
    mark[0] = 0
    mark[0, 3:5, 5] = 1  # one of two pixels lies under the square foreground
    images = replace(images, mark=mark)
    share = visible_share(images, np.array([0, 2]), np.array([[0, 1], [2, NONE]]))
    np.testing.assert_array_equal(share, [[0.5, 1.0], [np.nan, np.nan]])
