from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from benchmark.api import Bias, Images
from benchmark.biases.corner import Corner
from benchmark.errors import BenchmarkError
from benchmark.inject import NO_CODE, balance, derange, inject, plant

CLASSES = 4


def make_images(n=120, classes=CLASSES, size=12):
    rng = np.random.default_rng(1)
    mask = np.zeros((n, size, size), np.uint8)
    mask[:, 4:8, 4:8] = 1
    ids = np.array([f"image_{row}" for row in range(n)])
    return Images(
        image=rng.integers(0, 200, (n, size, size, 1), dtype=np.uint8),
        mask=mask,
        label=rng.permutation(np.arange(n) % classes),
        unit=ids,
        source=np.full(n, "made"),
        split=rng.permutation(np.array(["train", "val", "test"])[np.arange(n) % 3]),
        id=ids,
    )


@pytest.fixture(scope="module")
def images():
    return make_images()


@pytest.fixture(scope="module")
def subsets(images):
    return inject(images, Corner(Corner.Settings(version=1)), np.random.default_rng(0))


def test_every_split_and_variant_is_there(images, subsets):
    assert list(subsets) == ["train", "val", "iid", "ood", "deceiving", "balanced"]
    for name in ("train", "val"):
        assert subsets[name].images.id.tolist() == images.id[images.split == name].tolist()


@pytest.mark.parametrize("name", ["train", "val", "iid"])
def test_the_code_is_the_label(subsets, name):
    assert np.array_equal(subsets[name].code, subsets[name].images.label)


def test_in_the_balanced_set_the_mark_says_nothing_of_the_label(images, subsets):
    balanced, val = subsets["balanced"], subsets["val"]
    assert balanced.images.id.tolist() == val.images.id.tolist()
    table = np.zeros((CLASSES, CLASSES), int)
    np.add.at(table, (balanced.images.label, balanced.code), 1)
    assert (table.max(axis=1) - table.min(axis=1) <= 1).all()
    assert table.sum() == len(val.images)


@given(counts=st.lists(st.integers(0, 40), min_size=2, max_size=6), seed=st.integers(0, 1000))
def test_every_class_has_all_codes_equally_often(counts, seed):
    label = np.repeat(np.arange(len(counts)), counts)
    code = balance(label, len(counts), np.random.default_rng(seed))
    for k, count in enumerate(counts):
        per_code = np.bincount(code[label == k], minlength=len(counts))
        assert per_code.sum() == count
        assert per_code.max() - per_code.min() <= 1


def test_where_a_class_has_too_few_images_for_all_codes_none_is_preferred():
    label = np.repeat(np.arange(4), 2)
    found = [balance(label, 4, np.random.default_rng(seed)) for seed in range(400)]
    assert chisquare(np.bincount(np.concatenate(found), minlength=4)).pvalue > 0.001


@pytest.mark.parametrize("correlation", [0.25, 0.6, 0.95])
def test_the_correlation_is_the_share_of_images_with_their_own_mark(correlation):
    subsets = inject(
        make_images(6000), Corner(Corner.Settings(version=1, correlation=correlation)), np.random.default_rng(0)
    )
    for name in ("train", "val", "iid"):
        own = subsets[name].code == subsets[name].images.label
        assert binomtest(int(own.sum()), len(own), correlation).pvalue > 0.001
        others = (subsets[name].code - subsets[name].images.label)[~own] % CLASSES
        assert chisquare(np.bincount(others, minlength=CLASSES)[1:]).pvalue > 0.001
    assert not (subsets["deceiving"].code == subsets["deceiving"].images.label).any()


def test_a_correlation_below_chance_is_refused(images):
    with pytest.raises(BenchmarkError, match=r"correlation of the bias; got 0\.2; expected 1 / 4"):
        inject(images, Corner(Corner.Settings(version=1, correlation=0.2)), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["iid", "ood", "deceiving"])
def test_all_variants_show_the_same_test_images_outside_the_mark(images, subsets, name):
    test, subset = images.take(images.split == "test"), subsets[name]
    for column in ("id", "unit", "source", "split", "label", "mask"):
        assert getattr(subset.images, column).tolist() == getattr(test, column).tolist()
    assert np.array_equal(subset.images.image[subset.mark == 0], test.image[subset.mark == 0])


def test_the_mark_is_where_its_code_says(images, subsets):
    corners = {0: (0, 0), 1: (0, 10), 2: (10, 10), 3: (10, 0)}
    for name in ("train", "val", "iid", "deceiving"):
        subset = subsets[name]
        for image, mark, code in zip(subset.images.image, subset.mark, subset.code, strict=True):
            top, left = corners[int(code)]
            assert mark.sum() == mark[top : top + 2, left : left + 2].sum() == 4
            assert (image[mark == 1] == 255).all()


def test_ood_has_no_mark(images, subsets):
    test, ood = images.take(images.split == "test"), subsets["ood"]
    assert np.array_equal(ood.images.image, test.image)
    assert not ood.mark.any()
    assert set(ood.code.tolist()) == {NO_CODE}


def test_the_deceiving_code_is_never_the_label(subsets):
    deceiving = subsets["deceiving"]
    assert not (deceiving.code == deceiving.images.label).any()
    assert set(deceiving.code.tolist()) == set(range(CLASSES))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(6, 9), st.integers(0, 99))
def test_a_derangement_keeps_nothing_and_stays_in_range(label, classes, seed):
    code = derange(np.array(label, int), classes, np.random.default_rng(seed))
    assert not (code == label).any()
    assert ((code >= 0) & (code < classes)).all()


def test_every_other_class_deceives_equally_often():
    label = np.repeat(np.arange(10), 900)
    code = derange(label, 10, np.random.default_rng(0))
    for k in range(10):
        counts = np.bincount(code[label == k], minlength=10)
        assert counts[k] == 0
        # ten tests of a true hypothesis: the smallest p is below 0.001 in one run of a hundred, and this seed is fixed
        assert chisquare(np.delete(counts, k)).pvalue > 0.001


def test_two_classes_deceive_each_other():
    assert derange(np.array([0, 1, 1]), 2, np.random.default_rng(0)).tolist() == [1, 0, 0]


def test_the_stream_decides_the_deceiving_codes_and_nothing_else(images, subsets):
    bias = Corner(Corner.Settings(version=1))
    same, other = (inject(images, bias, np.random.default_rng(seed)) for seed in (0, 1))
    assert np.array_equal(same["deceiving"].code, subsets["deceiving"].code)
    assert not np.array_equal(other["deceiving"].code, subsets["deceiving"].code)
    assert np.array_equal(other["train"].images.image, subsets["train"].images.image)


def test_the_columns_of_a_biased_pack(subsets):
    columns = subsets["iid"].columns()
    assert set(columns) == {*Images.__dataclass_fields__, "mark", "code"}
    assert {len(values) for values in columns.values()} == {40}


# --- a bias that breaks its contract ----------------------------------------------------------------


class Rogue(Bias):
    """Does to the first image what the test says."""

    def __init__(self, act):
        super().__init__(self.Settings())
        self.act = act

    def plant(self, image, mask, code, codes, rng):
        image, mark = image.copy(), np.zeros_like(mask)
        mark[:, 0, 0] = 1
        image[:, 0, 0] = 255
        self.act(image, mark)
        return image, mark


def paint(image, mark):
    image[0, 5, 5] = 255


def claim_foreground(image, mark):
    mark[0, 5, 5] = 1


def paint_and_claim_foreground(image, mark):
    image[0, 5, 5] = 255
    mark[0, 5, 5] = 1


def paint_background_unclaimed(image, mark):
    image[0, 0, 1] = 255


@pytest.mark.parametrize("act", [paint, claim_foreground, paint_and_claim_foreground, paint_background_unclaimed])
def test_a_bias_that_touches_what_it_must_not_is_refused(images, act):
    told = "bias Rogue broke its contract; got .*strictly outside the mask.*plant"
    with pytest.raises(BenchmarkError, match=told):
        inject(images, Rogue(act), np.random.default_rng(0))


def test_a_bias_within_its_contract_passes(images):
    subset = plant(images, images.label, Rogue(lambda image, mark: None), CLASSES, np.random.default_rng(0))
    assert (subset.images.image[:, 0, 0] == 255).all()


class InPlace(Bias):
    """Writes into the arrays that it was given."""

    def plant(self, image, mask, code, codes, rng):
        image[:] = 255
        mask[:] = 0
        mark = np.zeros_like(mask)
        mark[:, 0, 0] = 1
        return image, mark


def test_a_bias_that_writes_into_its_input_is_refused_and_harms_nothing(images):
    before = images.image.copy(), images.mask.copy()
    with pytest.raises(BenchmarkError, match="bias InPlace broke its contract"):
        plant(images, images.label, InPlace(InPlace.Settings()), CLASSES, np.random.default_rng(0))
    assert np.array_equal(images.image, before[0])
    assert np.array_equal(images.mask, before[1])


# --- data that no bias can be planted into ----------------------------------------------------------


def test_one_class_is_refused(images):
    one = replace(images, label=np.zeros_like(images.label))
    with pytest.raises(BenchmarkError, match="a deceiving variant needs another class; got '1 class'"):
        inject(one, Corner(Corner.Settings(version=1)), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_an_empty_split_is_refused(images, name):
    some = images.take(images.split != name)
    with pytest.raises(BenchmarkError, match=f"split '{name}' holds no image"):
        inject(some, Corner(Corner.Settings(version=1)), np.random.default_rng(0))
