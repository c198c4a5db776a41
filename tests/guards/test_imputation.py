import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.guards import imputation
from benchmark.guards.imputation import impute


def one(rows, *removed):
    """One image of one channel, and its removed pixels."""
    image = np.array(rows, float)[None, None]
    holes = np.zeros(image[:, 0].shape, bool)
    for place in removed:
        holes[(0, *place)] = True
    return image, holes


def dense(image, removed):
    """The same system, pixel by pixel, for one channel of one image."""
    places = [tuple(place) for place in np.argwhere(removed)]
    A, b = np.zeros((len(places), len(places))), np.zeros(len(places))
    for row, (y, x) in enumerate(places):
        for v in range(image.shape[0]):
            for u in range(image.shape[1]):
                distance = (v - y) ** 2 + (u - x) ** 2
                weight = {1: 2.0, 2: 1.0}.get(distance, 0.0)
                A[row, row] += weight
                if removed[v, u] and weight:
                    A[row, places.index((v, u))] -= weight
                elif weight:
                    b[row] += weight * image[v, u]
    filled = image.copy()
    filled[removed] = np.linalg.solve(A, b)
    return filled


def test_one_pixel_in_the_middle_by_hand():
    # beside 1/6 each: 2, 4, 6, 8; diagonal 1/12 each: 1, 3, 7, 11; together 20 / 6 + 22 / 12
    filled = impute(*one([[1, 2, 3], [4, 99, 6], [7, 8, 11]], (1, 1)))
    assert filled[0, 0, 1, 1] == pytest.approx(20 / 6 + 22 / 12)


def test_one_pixel_in_the_corner_counts_the_neighbours_that_there_are():
    # right 2 and below 4 with 1/6, diagonal 5 with 1/12, of 5/12: (2·2 + 2·4 + 5) / 5
    filled = impute(*one([[99, 2, 3], [4, 5, 6], [7, 8, 9]], (0, 0)))
    assert filled[0, 0, 0, 0] == pytest.approx(17 / 5)


def test_two_neighbours_by_hand():
    # x = 1/6 + y/6 and 2/3 y = x/6, so x = 4/23 and y = 1/23
    filled = impute(*one([[0, 0, 0], [1, 99, 99], [0, 0, 0]], (1, 1), (1, 2)))
    assert filled[0, 0, 1].tolist() == [1, pytest.approx(4 / 23), pytest.approx(1 / 23)]


def test_a_gap_in_a_line_becomes_a_ramp():
    filled = impute(*one([[0, 99, 99, 99, 1]], (0, 1), (0, 2), (0, 3)))
    np.testing.assert_allclose(filled[0, 0, 0], [0, 0.25, 0.5, 0.75, 1])


def test_a_ramp_is_restored_wherever_the_border_stays():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:20, :24]
    ramps = np.stack([0.3 * y + 0.1 * x, 5 - 0.2 * y + 0.4 * x])[None]
    removed = np.zeros((1, 20, 24), bool)
    removed[:, 1:-1, 1:-1] = rng.random((18, 22)) < 0.8
    filled = impute(np.where(removed[:, None], 99.0, ramps), removed)
    np.testing.assert_allclose(filled, ramps, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 0.95))
def test_against_a_dense_system_built_pixel_by_pixel(seed, share):
    rng = np.random.default_rng(seed)
    image, removed = rng.random((3, 2, 5, 6)), rng.random((3, 5, 6)) < share
    removed[:, 2, 3] = False
    filled = impute(image, removed)
    expected = [[dense(channel, holes) for channel in each] for each, holes in zip(image, removed, strict=True)]
    np.testing.assert_allclose(filled, expected, atol=1e-12)


def test_what_stays_is_left_alone_and_what_was_removed_is_never_read():
    rng = np.random.default_rng(1)
    image, removed = rng.random((4, 3, 9, 8)), rng.random((4, 9, 8)) < 0.7
    before = image.copy()
    filled = impute(image, removed)
    np.testing.assert_array_equal(image, before)
    everywhere = np.broadcast_to(removed[:, None], image.shape)
    np.testing.assert_array_equal(filled[~everywhere], image[~everywhere])
    np.testing.assert_array_equal(impute(np.where(everywhere, np.nan, image), removed), filled)
    for each, holes, old in zip(filled, removed, image, strict=True):
        for channel, was in zip(each, old, strict=True):
            assert was[~holes].min() <= channel.min()
            assert channel.max() <= was[~holes].max()


@pytest.mark.parametrize("most", [1, 40, 10**9])
def test_solving_in_parts_changes_nothing(monkeypatch, most):
    rng = np.random.default_rng(2)
    image, removed = rng.random((7, 1, 6, 6)), rng.random((7, 6, 6)) < 0.5
    removed[3] = False
    alone = np.concatenate([impute(image[row : row + 1], removed[row : row + 1]) for row in range(7)])
    monkeypatch.setattr(imputation, "NUMBERS", most)
    np.testing.assert_allclose(impute(image, removed), alone, atol=1e-13)


def test_without_holes_nothing_happens():
    image = np.random.default_rng(3).random((2, 1, 4, 4))
    np.testing.assert_array_equal(impute(image, np.zeros((2, 4, 4), bool)), image)


def test_faults_are_told():
    image, removed = np.zeros((2, 1, 3, 3)), np.zeros((2, 3, 3), bool)
    with pytest.raises(BenchmarkError, match=r"shapes .* expected \[N, C, H, W\] and \[N, H, W\]"):
        impute(image[:, 0], removed)
    with pytest.raises(BenchmarkError, match="shapes"):
        impute(image, removed[:1])
    removed[1] = True
    with pytest.raises(BenchmarkError, match="every pixel of image 1 is removed"):
        impute(image, removed)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_stays_must_be_finite_and_one_that_goes_need_not(value):
    image, removed = np.full((2, 1, 4, 4), 0.5), np.zeros((2, 4, 4), bool)
    removed[:, 1, 1] = True
    image[1, 0, 1, 1] = value
    np.testing.assert_allclose(impute(image, removed), 0.5)
    image[1, 0, 3, 3] = value
    with pytest.raises(BenchmarkError, match="a pixel of image 1 that stays is not finite"):
        impute(image, removed)
