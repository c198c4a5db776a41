import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes import ids

from benchmark.biases.places import covered, displacement, homes, inside, settle
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


@st.composite
def boxes(draw):
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = (rng.random((3, height, width)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).astype(np.uint8)
    tall, wide = draw(st.integers(1, height)), draw(st.integers(1, width))
    home = np.stack([rng.integers(0, height - tall + 1, 3), rng.integers(0, width - wide + 1, 3)], axis=1)
    return mask, home, tall, wide


@settings(deadline=None)
@given(boxes())
def test_the_mark_slides_to_the_nearest_of_the_places_with_the_least_foreground(given_boxes):
    mask, home, tall, wide = given_boxes
    chosen = settle(mask, home, tall, wide)
    for one, (row, column), found in zip(mask, home, chosen, strict=True):
        best = min(
            (int(one[y : y + tall, x : x + wide].sum()), (y - row) ** 2 + (x - column) ** 2, y, x)
            for y in range(one.shape[0] - tall + 1)
            for x in range(one.shape[1] - wide + 1)
        )
        assert tuple(found) == best[2:]


@settings(deadline=None)
@given(boxes())
def test_the_foreground_in_every_box_is_counted(given_boxes):
    mask, _, tall, wide = given_boxes
    windows = np.lib.stride_tricks.sliding_window_view(mask, (tall, wide), axis=(1, 2))
    assert np.array_equal(covered(mask, tall, wide), windows.sum(axis=(-2, -1)))


@pytest.mark.parametrize(
    ("corner", "place"),
    [("top_left", (4, 4)), ("top_right", (4, 126)), ("bottom_left", (86, 4)), ("bottom_right", (86, 126))],
)
def test_a_corner_is_a_twenty_fifth_of_the_shorter_side_from_the_edges(corner, place):
    # 100 x 150 px, a box of 10 x 20 px: 4 px of margin
    assert homes(corner, np.zeros((1, 2), int), (100, 150), (10, 20)).tolist() == [list(place)]


def test_a_displaced_mark_stays_inside_the_image():
    moved = np.array([[-50, -50], [3, -2], [500, 500]])
    assert homes("top_left", moved, (100, 150), (10, 20)).tolist() == [[0, 0], [7, 2], [90, 130]]


def test_a_mark_larger_than_the_image_is_refused():
    with pytest.raises(BenchmarkError, match=r"a mark of 5 x 31 px does not fit into an image of 28 x 30 px.*size"):
        homes("top_left", np.zeros((1, 2), int), (28, 30), (5, 31))


def test_displacements_are_uniform_up_to_the_jitter_each_way():
    moved = displacement(Draws(0, ids(20000)), 0.1, 200, 100)  # a tenth of the shorter side is 10 px
    assert moved.min(axis=0).tolist() == [-10, -10]
    assert moved.max(axis=0).tolist() == [10, 10]
    for axis in range(2):
        inner = np.bincount(moved[:, axis] + 10)[1:-1]  # rounding halves the two ends
        assert abs(inner.mean() - 1000) < 20
        assert np.abs(inner - 1000).max() < 5 * np.sqrt(1000)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.05
    assert not displacement(Draws(0, ids(100)), 0.0, 200, 100).any()


def test_boxes_are_cut_at_their_places():
    picture = np.arange(40).reshape(2, 4, 5)
    assert picture[inside(np.array([[0, 1], [2, 0]]), 2, 3)].tolist() == [
        [[1, 2, 3], [6, 7, 8]],
        [[30, 31, 32], [35, 36, 37]],
    ]
