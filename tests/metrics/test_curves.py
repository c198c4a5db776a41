from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import jaccard_score
from test_attribution import M, R, all_orders, drawn

from benchmark.errors import BenchmarkError
from benchmark.metrics import curves
from benchmark.metrics.curves import background_curve, background_curve_area, iou_curve_area, iou_top_area
from benchmark.metrics.localisation import mask_average_precision


def test_hand_values():
    # By |R|: 4* {3 3*} {2 2*} {1 1} 0.5 0, a star = foreground. So h = 1, 1.5, 2, 2.5, 3, 3, 3, 3, 3.
    background = [0, 0.5 / 2, 1 / 3, 1.5 / 4, 2 / 5, 3 / 6, 4 / 7, 5 / 8, 6 / 9]
    assert background_curve_area(R, M) == pytest.approx([sum(background) / 9])
    assert background_curve(R, M, np.arange(1, 10) / 9)[0] == pytest.approx(background)
    assert iou_top_area(R, M) == pytest.approx([2 / 4])
    iou = [1 / 3, 1.5 / 3.5, 2 / 4, 2.5 / 4.5, 3 / 5, 3 / 6, 3 / 7, 3 / 8, 3 / 9]
    assert iou_curve_area(R, M) == pytest.approx([sum(iou) / 9])


def test_the_sign_is_irrelevant():
    for function in (background_curve_area, iou_top_area, iou_curve_area):
        assert function(-np.abs(R), M) == function(R, M)


def test_between_whole_pixels_the_last_one_counts_in_part():
    got = background_curve(R, M, [0.01, 1 / 9, 1.5 / 9, 0.5, 1])[0]
    # The top pixel is foreground; then half of the two that tie; 4.5 pixels have 2.75 of the foreground.
    assert got == pytest.approx([0, 0, 1 - 1.25 / 1.5, 1 - 2.75 / 4.5, 6 / 9])


def test_extremes_of_the_order():
    ramp, mask = np.arange(20.0, 0, -1).reshape(1, 4, 5), np.zeros((1, 4, 5), int)
    mask[0, 0] = 1
    harmonic = sum(1 / k for k in range(6, 21))
    assert background_curve_area(ramp, mask) == pytest.approx([1 - 5 / 20 * (1 + harmonic)])
    assert iou_top_area(ramp, mask).tolist() == [1]
    assert iou_curve_area(ramp, mask) == pytest.approx([(3 + 5 * harmonic) / 20])  # (1 + .. + 5) / 5 = 3
    assert iou_top_area(ramp[:, ::-1, ::-1], mask).tolist() == [0]
    worst = [0] * 15 + [h / 20 for h in range(1, 6)]
    assert iou_curve_area(ramp[:, ::-1, ::-1], mask) == pytest.approx([sum(worst) / 20])
    late = [1] * 15 + [15 / k for k in range(16, 21)]
    assert background_curve_area(ramp[:, ::-1, ::-1], mask) == pytest.approx([sum(late) / 20])


@pytest.mark.parametrize("value", [0.3, -0.3, 5e-324, 1e300])
def test_a_uniform_map_gives_the_chance_level(value):
    mask = np.zeros((1, 50, 40), int)
    mask[0, :20, :30] = 1  # s = 0.3
    relevance = np.full(mask.shape, value)
    np.testing.assert_allclose(background_curve(relevance, mask, [0.001, 0.1, 0.33, 1]), 0.7, rtol=1e-13)
    assert background_curve_area(relevance, mask) == pytest.approx([0.7], abs=1e-13)
    assert iou_top_area(relevance, mask) == pytest.approx([0.3 / 1.7])
    odds = 0.3 / 0.7
    assert iou_curve_area(relevance, mask) == pytest.approx([odds * (1 - odds * np.log(1 / 0.3))], abs=0.001)


def test_all_orders_of_the_pixels_have_the_chance_level_as_their_mean():
    maps, mask = all_orders([4.0, -3.0, 1.0, 2.0, 0.5, -5.0], [[1, 1, 0], [0, 0, 0]])
    assert background_curve_area(maps, mask).mean() == pytest.approx(4 / 6)
    np.testing.assert_allclose(background_curve(maps, mask, [0.1, 0.5, 0.9]).mean(0), 4 / 6)

    def expected_iou(k):
        return sum(hypergeom.pmf(h, 6, 2, k) * h / (k + 2 - h) for h in range(3))

    assert iou_top_area(maps, mask).mean() == pytest.approx(expected_iou(2))
    assert iou_curve_area(maps, mask).mean() == pytest.approx(np.mean([expected_iou(k) for k in range(1, 7)]))


def test_many_pixels_in_random_order_have_the_chance_level_that_is_told():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 40, 40), np.uint8)
    mask[:, 10:20, 10:26] = 1  # s = 0.1
    maps = rng.normal(size=mask.shape)
    assert background_curve_area(maps, mask).mean() == pytest.approx(0.9, abs=0.003)
    assert iou_top_area(maps, mask).mean() == pytest.approx(0.1 / 1.9, abs=0.003)
    assert iou_curve_area(maps, mask).mean() == pytest.approx(1 / 9 * (1 - np.log(10) / 9), abs=0.003)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scikit_learn_gives_the_same_iou_of_every_top(seed):
    maps, mask = drawn(seed, count=1)
    relevance, inside = maps.ravel(), mask.ravel()
    order = np.argsort(-np.abs(relevance))
    iou = [jaccard_score(inside, np.isin(np.arange(20), order[:k])) for k in range(1, 21)]
    assert iou_top_area(maps, mask)[0] == pytest.approx(iou[inside.sum() - 1])
    assert iou_curve_area(maps, mask)[0] == pytest.approx(np.mean(iou))
    assert background_curve(maps, mask, [0.35])[0, 0] == pytest.approx(1 - inside[order[:7]].mean())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ties_count_what_random_tie_breaking_gives_on_average(seed):
    rng = np.random.default_rng(seed)
    value, inside = rng.integers(-2, 3, 6), rng.permutation([1, 1, 0, 0, 0, 0]).astype(bool)
    value[0] = 1
    found = []
    for breaker in permutations(range(6)):
        outside = ~inside[np.lexsort((breaker, -np.abs(value)))]
        found.append(outside.cumsum() / np.arange(1, 7))
    maps, mask = value.reshape(1, 2, 3), inside.reshape(1, 2, 3)
    expected = np.mean(found, 0)
    np.testing.assert_allclose(background_curve(maps, mask, np.arange(1, 7) / 6)[0], expected, atol=1e-14)
    assert background_curve_area(maps, mask)[0] == pytest.approx(expected.mean())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 20))
def test_the_shares_of_both_sides_add_up_to_one(seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    relevance[:, 0, 0] = 1
    shares = [0.02, 0.3, 0.5, 1]
    total = background_curve(relevance, mask, shares) + background_curve(relevance, ~mask, shares)
    np.testing.assert_allclose(total, 1, atol=1e-14)
    np.testing.assert_allclose(
        background_curve_area(relevance, mask) + background_curve_area(relevance, ~mask), 1, atol=1e-14
    )


def test_a_curve_is_not_defined_where_its_area_is_not():
    maps = np.stack([R[0], R[0], R[0] * 0, R[0]])
    masks = np.stack([M[0] * 0, M[0] * 0 + 1, M[0], M[0]])
    curve = background_curve(maps, masks, [0.2, 1])
    np.testing.assert_array_equal(np.isnan(curve), [[True] * 2] * 3 + [[False] * 2])


@pytest.mark.parametrize("shares", [[0, 0.5], [-0.1], [1.1], [np.nan], 0.5, [[0.5]]])
def test_shares_that_are_none_are_told(shares):
    with pytest.raises(BenchmarkError, match=r"shares of the pixels; got .*; expected a list of numbers in \(0, 1\]"):
        background_curve(R, M, shares)


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    maps, mask = drawn(3, count=9, levels=3)
    maps[::2] += np.random.default_rng(3).random((5, 4, 5))  # every other map without ties
    whole = iou_curve_area(maps, mask), mask_average_precision(maps, mask)
    monkeypatch.setattr(curves, "BLOCK", 60)  # three maps
    np.testing.assert_array_equal((iou_curve_area(maps, mask), mask_average_precision(maps, mask)), whole)
