from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import dilation, disk
from sklearn.metrics import average_precision_score, roc_auc_score
from test_attribution import M, R, all_orders, drawn

from benchmark.metrics.localisation import (
    energy_pointing_game,
    mask_auroc,
    mask_average_precision,
    pointing_game,
    relevance_rank_accuracy,
)


def test_hand_values():
    # By R: 4* 3 2* 1 0.5 0 -1 -2 -3*; by |R|: 4* {3 3*} {2 2*} {1 1} 0.5 0; a star is a foreground pixel.
    assert relevance_rank_accuracy(R, M) == pytest.approx([2 / 3])
    assert pointing_game(R, M).tolist() == [1]
    assert pointing_game(R, 1 - M).tolist() == [0]
    # R + 3 = 7 0 4 / 5 3 2 / 3.5 6 1
    assert energy_pointing_game(R, M) == pytest.approx([(7 + 0 + 5) / 31.5])
    # 4 is above all six background pixels, 2 above five, -3 above none.
    assert mask_auroc(R, M) == pytest.approx([(6 + 5 + 0) / 18])
    assert mask_average_precision(R, M) == pytest.approx([(1 / 1 + 2 / 3 + 3 / 9) / 3])


def test_hand_values_of_a_negative_map():
    relevance = -np.abs(R)  # by R: 0 -0.5 {-1 -1} {-2 -2*} {-3 -3*} -4*; + 4: 0* 1* 3 / 2* 4 3 / 3.5 1 2
    assert relevance_rank_accuracy(relevance, M) == pytest.approx([2 / 3])  # of |R|
    assert pointing_game(relevance, M).tolist() == [0]
    assert energy_pointing_game(relevance, M) == pytest.approx([3 / 19.5])
    assert mask_auroc(relevance, M) == pytest.approx([(0 + 1.5 + 0.5) / 18])
    assert mask_average_precision(relevance, M) == pytest.approx([(1 / 6 + 2 / 8 + 3 / 9) / 3])


def test_hand_values_of_tied_maps():
    relevance = np.array([[[2.0, 2.0, 0.0], [1.0, 1.0, 1.0]]])
    mask = np.array([[[1, 0, 0], [1, 1, 0]]])
    # The third place is shared by three pixels, two of them foreground.
    assert relevance_rank_accuracy(relevance, mask) == pytest.approx([(1 + 2 / 3) / 3])
    assert pointing_game(relevance, mask) == pytest.approx([1 / 2])
    assert energy_pointing_game(relevance, mask) == pytest.approx([4 / 7])
    # 2*: one tie, two wins; each 1*: one loss, one tie, one win.
    assert mask_auroc(relevance, mask) == pytest.approx([(2.5 + 1.5 + 1.5) / 9])
    assert mask_average_precision(relevance, mask) == pytest.approx([1 / 3 * 1 / 2 + 2 / 3 * 3 / 5])


@pytest.mark.parametrize("value", [0.3, -0.3, 5e-324, 1e300])
def test_a_uniform_map_gives_the_chance_level(value):
    relevance = np.full((1, 5, 4), value)
    mask = np.zeros((1, 5, 4))
    mask[0, :2, :3] = 1
    for share in (relevance_rank_accuracy, pointing_game, mask_average_precision):
        assert share(relevance, mask) == pytest.approx([6 / 20], abs=1e-15)
    assert mask_auroc(relevance, mask).tolist() == [0.5]
    assert np.isnan(energy_pointing_game(relevance, mask))


def test_all_orders_of_the_pixels_have_the_chance_level_as_their_mean():
    maps, mask = all_orders([4.0, -3.0, 1.0, 2.0, 0.5, -1.0], [[1, 1, 0], [0, 0, 0]])
    for share in (relevance_rank_accuracy, pointing_game, energy_pointing_game):
        assert share(maps, mask).mean() == pytest.approx(2 / 6)
    assert mask_auroc(maps, mask).mean() == pytest.approx(0.5)
    # The expected average precision of m = 2 among S = 6 in random order, in closed form.
    harmonic = sum(1 / k for k in range(1, 7))
    expected = (harmonic + (2 - 1) / (6 - 1) * (6 - harmonic)) / 6
    assert mask_average_precision(maps, mask).mean() == pytest.approx(expected)


def test_many_pixels_in_random_order_have_nearly_the_area_as_average_precision():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 40, 40), np.uint8)
    mask[:, 10:20, 10:26] = 1
    assert mask_average_precision(rng.normal(size=mask.shape), mask).mean() == pytest.approx(0.1, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ties_count_what_random_tie_breaking_gives_on_average(seed):
    rng = np.random.default_rng(seed)
    value, inside = rng.integers(-2, 3, 6), rng.permutation([1, 1, 1, 0, 0, 0]).astype(bool)
    value[0], inside[rng.integers(6)] = 1, False  # never without mass; one to three pixels of foreground
    ranks, points = [], []
    for breaker in permutations(range(6)):
        ranks.append(inside[np.lexsort((breaker, -np.abs(value)))[: inside.sum()]].mean())
        points.append(inside[np.lexsort((breaker, -value))[0]])
    relevance, mask = value.reshape(1, 2, 3), inside.reshape(1, 2, 3)
    assert relevance_rank_accuracy(relevance, mask) == pytest.approx([np.mean(ranks)])
    assert pointing_game(relevance, mask) == pytest.approx([np.mean(points)])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 1, 3, 10]))
def test_scikit_learn_gives_the_same_area_and_precision(seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    pairs = [(m.ravel(), r.ravel()) for m, r in zip(mask, relevance, strict=True) if r.any()]
    has_mass = relevance.any((1, 2))
    np.testing.assert_allclose(mask_auroc(relevance, mask)[has_mass], [roc_auc_score(*pair) for pair in pairs])
    np.testing.assert_allclose(
        mask_average_precision(relevance, mask)[has_mass], [average_precision_score(*pair) for pair in pairs]
    )


def test_large_maps_in_several_blocks_agree_with_scikit_learn():
    relevance, mask = drawn(1, count=5, shape=(224, 224))
    relevance[1::2] = np.maximum(relevance[1::2], 0).round(2)  # many ties in every other image
    expected = [roc_auc_score(m.ravel(), r.ravel()) for m, r in zip(mask, relevance, strict=True)]
    np.testing.assert_allclose(mask_auroc(relevance, mask), expected)
    expected = [average_precision_score(m.ravel(), r.ravel()) for m, r in zip(mask, relevance, strict=True)]
    np.testing.assert_allclose(mask_average_precision(relevance, mask), expected)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 1, 3]))
def test_what_the_mask_wins_its_complement_loses(seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    known = relevance.any((1, 2))
    for function in (pointing_game, energy_pointing_game, mask_auroc):
        total = function(relevance, mask) + function(relevance, ~mask)
        np.testing.assert_allclose(total[known & ~np.isnan(total)], 1, atol=1e-14)
    np.testing.assert_allclose((mask_auroc(relevance, mask) + mask_auroc(-relevance, mask))[known], 1, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 3]))
def test_ranks_see_only_the_order(seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    relevance[:, 0, 0] = 5
    for function in (pointing_game, mask_auroc, mask_average_precision):
        np.testing.assert_array_equal(function(np.exp(relevance), mask), function(relevance, mask))
    np.testing.assert_array_equal(
        relevance_rank_accuracy(np.abs(relevance) ** 3, mask), relevance_rank_accuracy(relevance, mask)
    )
    shifted = energy_pointing_game(relevance * 4 - 8, mask)
    np.testing.assert_allclose(shifted, energy_pointing_game(relevance, mask), rtol=1e-10)


def test_the_smallest_difference_is_no_tie():
    step = 2.0**-52
    relevance = np.array([[[1.9 + 2 * step, 1.9], [1.9 + step, 3.7]]])  # two of them are equal once divided by 3.7
    mask = np.array([[[1, 0], [0, 0]]])
    assert mask_auroc(relevance, mask) == pytest.approx([2 / 3])
    assert mask_average_precision(relevance, mask).tolist() == [0.5]
    assert relevance_rank_accuracy(relevance, 1 - mask) == pytest.approx([2 / 3])


def one_pixel(shape, *place):
    image = np.zeros((1, *shape))
    image[(0, *place)] = 1
    return image


@pytest.mark.parametrize(
    ("shape", "centre", "point", "hit"),
    [
        ((14, 14), (7, 7), (7, 8), 0),  # 15/224 of 14 is less than one pixel
        ((28, 28), (14, 14), (14, 15), 1),
        ((28, 28), (14, 14), (15, 15), 0),
        ((28, 28), (14, 14), (14, 16), 0),
        ((28, 224), (14, 14), (14, 16), 0),  # of the shorter side
        ((224, 28), (14, 14), (16, 14), 0),
        ((224, 224), (100, 100), (100, 115), 1),
        ((224, 224), (100, 100), (109, 112), 1),  # 9, 12, 15
        ((224, 224), (100, 100), (100, 116), 0),
        ((224, 224), (100, 100), (111, 111), 0),
        ((256, 256), (100, 100), (100, 117), 1),  # 17.1
        ((256, 256), (100, 100), (100, 118), 0),
    ],
)
def test_the_pointing_game_forgives_15_of_224_pixels(shape, centre, point, hit):
    assert pointing_game(one_pixel(shape, *point), one_pixel(shape, *centre)).tolist() == [hit]


def test_the_chance_of_the_pointing_game_is_the_dilated_area():
    mask = np.zeros((60, 60), np.uint8)
    mask[10:30, 40:44] = mask[50, 5] = 1
    near = dilation(mask, disk(4))  # 15/224 of 60 is 4.02
    points = np.eye(3600)[::7].reshape(-1, 60, 60)  # every seventh pixel
    hits = pointing_game(points, np.broadcast_to(mask, points.shape))
    np.testing.assert_array_equal(hits, near.ravel()[::7])
    assert pointing_game(np.ones((1, 60, 60)), mask[None]) == pytest.approx([near.mean()])


def test_a_pointing_game_that_cannot_be_lost_is_not_defined():
    mask = np.ones((1, 28, 28), np.uint8)
    mask[0, 14, 14] = 0
    assert np.isnan(pointing_game(one_pixel((28, 28), 14, 14), mask))
    mask[0, 13:16, 13:16] = 0
    assert pointing_game(one_pixel((28, 28), 14, 14), mask).tolist() == [0]


def test_quantus_gives_the_same_values_where_it_is_right():
    """Numbers of Quantus 0.6.0 with ``normalise=False``.

    Where it is not right:

    - PointingGame stores NaN into booleans: ``R`` with an empty mask is ``True``, a hit; of tied maxima one inside is
      enough ([[1, 0, 0], [0, 0, 0], [0, 0, 1]] with ``M`` is a hit); ``weighted=True`` raises TypeError.
    - RelevanceRankAccuracy breaks ties by position: [[1, 0, 0], [0, 0, 0], [0, 0, 0]] gives 0.5 with the mask of the
      pixels (0, 1) and (0, 2), but 0.0 with that of (2, 1) and (2, 2); both are 1/8 here. It is signed by default:
      0.4 instead of 0.6 on the second map.
    - A full mask gives 1.0 (RelevanceRankAccuracy, PointingGame); uniform maps and maps of zeros fail an assertion that
      stops the whole batch.
    """
    relevance = np.array([[[5, 1, -2, 7], [3, -4, 6, 2.5], [0.5, -6, -1, 4], [-3, 8, 1.5, -7]]])
    mask = np.array([[[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 0]]])
    # RelevanceRankAccuracy(abs=True)
    assert relevance_rank_accuracy(R, M) == pytest.approx([0.6666666666666666])
    assert relevance_rank_accuracy(relevance, mask) == pytest.approx([0.6])
    assert relevance_rank_accuracy(relevance, 1 - mask) == pytest.approx([0.6363636363636364])
    # PointingGame()
    assert pointing_game(R, M).tolist() == [True]
    assert pointing_game(relevance, mask).tolist() == [True]
    assert pointing_game(relevance, 1 - mask).tolist() == [False]
    # AUC()
    assert mask_auroc(R, M) == pytest.approx([0.6111111111111112])
    assert mask_auroc(relevance, mask) == pytest.approx([0.4727272727272728])

    corner = one_pixel((3, 3), 0, 0)
    for row in (0, 2):
        pair = np.zeros((1, 3, 3))
        pair[0, row, 1:] = 1
        assert relevance_rank_accuracy(corner, pair) == pytest.approx([1 / 8])
    assert pointing_game(corner + one_pixel((3, 3), 2, 2), M).tolist() == [0.5]
    assert np.isnan(pointing_game(R, M * 0))
