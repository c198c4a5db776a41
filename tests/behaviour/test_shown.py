from dataclasses import fields, replace

import numpy as np
import pytest

from benchmark.behaviour.shown import Shown
from benchmark.errors import BenchmarkError
from tests.behaviour.scenes import shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": np.zeros((4, 12, 12), np.uint8)}, "shown images"),
        ({"image": np.zeros((4, 12, 12, 1), np.float32)}, "float32"),
        ({"mask": np.zeros((4, 12, 11), np.uint8)}, "mask of the shown images"),
        ({"mark": np.zeros((3, 12, 12), np.uint8)}, "mark of the shown images"),
        ({"label": np.zeros(3, np.int64)}, "label of the shown images"),
        ({"code": np.zeros((4, 1), np.int64)}, "code of the shown images"),
        ({"unit": np.array(["a"])}, "unit of the shown images"),
        ({"mask": np.full((4, 12, 12), 255, np.uint8)}, "only 0 and 1"),
        ({"mark": np.full((4, 12, 12), 2, np.uint8)}, "only 0 and 1"),
        ({"id": np.array(["a", "b", "a", "c"])}, "repeated names"),
    ],
)
def test_images_that_do_not_fit_together_are_told(change, told):
    whole = shown([0, 1, 2, 0], [0, 1, 2, -1])
    with pytest.raises(BenchmarkError, match=told):
        replace(whole, **change)


@pytest.mark.parametrize("rows", [[2, 0], slice(1, 3), np.array([False, True, True, False])])
def test_taken_rows_are_those_rows_of_every_field(rows):
    whole = shown([0, 1, 2, 0], [0, 1, 2, -1], unit=["a", "a", "b", "c"])
    part = whole.take(rows)
    assert len(part) == 2
    for field in fields(Shown):
        np.testing.assert_array_equal(getattr(part, field.name), getattr(whole, field.name)[rows])


def test_only_images_with_foreground_and_background_are_usable():
    whole = shown([0, 1, 2], [0, 1, 2])
    mask = whole.mask.copy()
    mask[0], mask[2] = 0, 1
    assert whole.usable.tolist() == [True, True, True]
    assert replace(whole, mask=mask).usable.tolist() == [False, True, False]


def test_the_same_images_are_the_same_whatever_their_marks():
    whole = shown([0, 1, 2], [0, 1, 2])
    assert whole.same_images(shown([0, 1, 2], [-1, 2, 0]))
    assert not whole.same_images(None)
    assert not whole.same_images(shown([0, 1, 2], [0, 1, 2], first=1))
    assert not whole.same_images(shown([0, 1, 1], [0, 1, 2]))
    assert not whole.same_images(whole.take([1, 0, 2]))
    assert not whole.same_images(whole.take([0, 1]))
    assert not whole.same_images(replace(whole, mask=1 - whole.mask))
