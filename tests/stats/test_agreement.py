"""Do two measures rank methods alike? Held to SciPy, to known truths, and to what must not matter."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.stats.agreement import kendall, rank_correlation, spearman

SCIPY = {"kendall": stats.kendalltau, "spearman": stats.spearmanr}


def measured(rng, first, second, *, seeds=3, units=100, draws=200, seed_sd=0.3):
    """Values and draws of methods by two measures: ``first`` and ``second`` plus what units and seeds add.

    The units are as hard for one method as for another, each measure has its own noise, and draws are common to all.
    """
    counts = rng.multinomial(units, np.full(units, 1 / units), size=draws) / units
    made = []
    for truth in (first, second):
        scores = rng.normal(size=(len(truth), seeds, units)) + seed_sd * rng.normal(size=(len(truth), seeds, 1))
        scores += np.asarray(truth, float)[:, None, None] + rng.normal(size=units)
        made += [scores.mean(2), scores @ counts.T]
    return made


def exact(first, second, *, seeds=2, draws=20):
    """Measures without any noise."""
    sides = [np.repeat(np.asarray(side, float)[:, None], seeds, 1) for side in (first, second)]
    return [part for side in sides for part in (side, np.repeat(side[..., None], draws, 2))]


def correlation(parts, seed=0, **options):
    return rank_correlation(*parts, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("kind", SCIPY)
def test_the_same_order_is_1_and_the_opposite_one_minus_1(kind):
    order = [0.1, 0.9, 0.4, 0.3, 0.7]
    same, opposite = (correlation(exact(order, sign * np.array(order)), kind=kind) for sign in (1, -1))
    for got, value in ((same, 1), (opposite, -1)):
        assert (got.value, got.low, got.high, got.se) == pytest.approx((value, value, value, 0))
        assert math.isnan(got.df)
        assert got.reason == ""


def test_one_exchanged_pair_of_five_by_hand():
    # Of 10 pairs 9 agree and 1 does not: (9 - 1) / 10. Ranks differ by 1 twice: 1 - 6 * 2 / (5 * 24).
    parts = exact([1, 2, 3, 4, 5], [1, 2, 4, 3, 5])
    assert correlation(parts).value == pytest.approx(0.8)
    assert correlation(parts, kind="spearman").value == pytest.approx(0.9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 9))
def test_value_and_draws_are_scipys_with_ties(seed, methods):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(3, size=(2, methods, 5)).astype(float)
    for kind, ours in (("kendall", kendall), ("spearman", spearman)):
        with np.errstate(all="ignore"):
            expected = [
                np.nan if min(np.ptp(a), np.ptp(b)) == 0 else SCIPY[kind](a, b).statistic
                for a, b in zip(first.T, second.T, strict=True)
            ]
        np.testing.assert_allclose(ours(first, second), expected, atol=1e-12)
        if not np.isnan(expected[0]):
            got = correlation(exact(first[:, 0], second[:, 0]), kind=kind)
            assert (got.value, got.low, got.high) == pytest.approx((expected[0],) * 3, abs=1e-12)


def test_sums_in_another_order_are_tied_all_the_same():
    # 0.1 + 0.2 + 0.3 and its other orders differ in the last bit; the first two methods are tied.
    seeds = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.5, 0.5, 0.5], [0.7, 0.7, 0.7]])
    assert seeds[0].mean() != seeds[1].mean()
    draws = np.repeat(seeds[..., None], 10, 2)
    got = correlation([seeds, draws, *exact([1, 2, 3, 4], [0] * 4, seeds=3, draws=10)[:2]])
    assert got.value == pytest.approx(stats.kendalltau([1, 1, 2, 3], [1, 2, 3, 4]).statistic)


def test_a_turned_measure_turns_value_and_bounds():
    parts = measured(np.random.default_rng(1), np.arange(6) * 0.3, np.arange(6) * 0.3)
    turned = [*parts[:2], -parts[2], -parts[3]]
    one, other = correlation(parts), correlation(turned)
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))
    assert other.se == pytest.approx(one.se)


def test_only_the_order_counts_and_the_measures_may_change_places():
    parts = measured(np.random.default_rng(2), np.arange(6) * 0.2, np.arange(6) * 0.2, seeds=1)
    one = correlation(parts)
    for other in (correlation([np.exp(parts[0]), np.exp(parts[1]), *parts[2:]]), correlation([*parts[2:], *parts[:2]])):
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


def test_bounds_are_the_outer_ones_of_percentile_and_reflected():
    # One seed, so nothing but the draws: 19 in the measured order (τ = 1), 21 with one neighbour pair exchanged (2/3).
    first, second = exact([1, 2, 3, 4], [1, 2, 3, 4], seeds=1, draws=40)[:2], np.array([[1.0], [2], [3], [4]])
    draws = np.repeat(second[..., None], 40, 2)
    draws[0, 0, 19:], draws[1, 0, 19:] = 2, 1
    got = correlation([*first, second, draws])
    # percentiles 2/3 and 1; reflected at 1 they are 1 and 4/3, which is cut at 1
    assert (got.value, got.low, got.high) == pytest.approx((1, 2 / 3, 1))
    swapped = second[[1, 0, 2, 3]]
    got = correlation([*first, swapped, draws])
    # value 2/3; percentiles 2/3 and 1; reflected 1/3 and 2/3
    assert (got.value, got.low, got.high) == pytest.approx((2 / 3, 1 / 3, 1))
    got = correlation([*first, -swapped, -draws])
    assert (got.value, got.low, got.high) == pytest.approx((-2 / 3, -1, -1 / 3))


def test_both_measures_see_the_same_drawn_seeds():
    # The second measure is the first one: whatever seeds a method draws, the order is the same, and it varies.
    values, draws = measured(np.random.default_rng(3), np.zeros(5), np.zeros(5))[:2]
    got = correlation([values, draws, values, draws])
    assert (got.low, got.high, got.se) == pytest.approx((1, 1, 0))
    again = draws[:, ::-1]  # the same numbers, by other seeds
    assert correlation([values, draws, values[:, ::-1], again]).low < 1


def test_every_method_draws_its_own_seeds():
    # Each method's second seed lies 10 above its first: drawn together they would keep the order.
    values = np.arange(5.0)[:, None] + [0, 10]
    parts = [values, np.repeat(values[..., None], 200, 2), *exact(range(5), range(5), draws=200)[:2]]
    got = correlation(parts)
    assert got.value == pytest.approx(1)
    assert got.low < 0


def test_an_undefined_draw_of_a_seed_does_harm_only_where_the_seed_is_drawn():
    parts = measured(np.random.default_rng(12), np.arange(5), np.arange(5), draws=2000)
    parts[1][0, 0] = np.nan
    defined, draws = map(int, re.findall(r"\d+", correlation(parts).reason))
    # none of 3 seeds drawn is the first: (2/3)³
    assert defined / draws == pytest.approx(8 / 27, abs=4 * math.sqrt(8 / 27 * 19 / 27 / 2000))


def test_methods_that_are_not_defined_are_left_out_and_counted():
    parts = measured(np.random.default_rng(4), np.arange(7) * 0.3, np.arange(7) * 0.3, seeds=1)
    kept = [np.delete(part, [2, 5], 0) for part in parts]
    parts[0][2], parts[1][2] = np.nan, np.nan
    parts[2][5], parts[3][5] = np.nan, np.nan
    got = correlation(parts)
    assert got.reason == "2 of 7 methods left out: not defined"
    assert got.value == pytest.approx(SCIPY["kendall"](kept[0][:, 0], kept[2][:, 0]).statistic)
    assert replace(got, reason="") == correlation(kept)  # one seed: there is nothing else to draw


def test_a_method_with_one_undefined_seed_has_no_mean():
    parts = measured(np.random.default_rng(5), np.arange(5) * 0.3, np.arange(5) * 0.3)
    parts[0][1, 2] = np.nan
    assert "1 of 5 methods" in correlation(parts).reason


def test_three_methods_have_no_rank_correlation():
    got = correlation(measured(np.random.default_rng(6), np.arange(3), np.arange(3)))
    assert math.isnan(got.value)
    assert math.isnan(got.low)
    assert got.reason == "3 methods with both measures, 4 are needed"


def test_a_measure_that_tells_nothing_apart_has_no_rank_correlation():
    got = correlation(exact([1, 2, 3, 4], [0.5] * 4))
    assert math.isnan(got.value)
    assert "all methods the same value" in got.reason


def test_too_few_defined_draws_leave_the_value_alone():
    parts = measured(np.random.default_rng(7), np.arange(4), np.arange(4), draws=100)
    parts[1][:, :, :11] = 0.0  # all methods tied
    got = correlation(parts)
    assert got.value == pytest.approx(1)
    assert math.isnan(got.high)
    assert "in 89 of 100 draws" in got.reason
    parts = measured(np.random.default_rng(7), np.arange(4), np.arange(4), draws=100)
    parts[1][:, :, :10] = 0.0
    assert correlation(parts).low > 0


def test_equal_streams_give_equal_intervals_and_others_do_not():
    parts = measured(np.random.default_rng(8), np.arange(8) * 0.1, np.arange(8) * 0.1)
    assert correlation(parts, seed=1) == correlation(parts, seed=1)
    one, other = correlation(parts, seed=1), correlation(parts, seed=2)
    assert one.value == other.value
    assert one.se != other.se


def test_a_lower_level_is_narrower():
    parts = measured(np.random.default_rng(9), np.arange(8) * 0.1, np.arange(8) * 0.1)
    wide, narrow = correlation(parts, level=0.95), correlation(parts, level=0.5)
    assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high


def held(truth, step, *, repeats=150, methods=8):
    """How often the interval holds the truth where methods lie ``step`` apart by both measures."""
    rng, means = np.random.default_rng(10), step * np.arange(methods)
    found = [rank_correlation(*measured(rng, means, means, draws=150), rng) for _ in range(repeats)]
    return float(np.mean([interval.low <= truth <= interval.high for interval in found]))


def test_pure_noise_holds_0():
    # At least at the level: drawing noise anew adds noise. 0.95 less three standard errors of 150 repeats.
    assert held(0, step=0) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 150)


def test_methods_far_apart_hold_1_and_those_closer_than_the_noise_do_not():
    # The standard error of a method's mean is about 0.2: what docs/statistics.md warns of.
    assert held(1, step=0.8) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 150)
    assert held(1, step=0.05) < 0.6


def test_faults_are_told():
    good = measured(np.random.default_rng(11), np.arange(4), np.arange(4), draws=10)
    for parts, options, message in [
        ([good[0], good[1], good[2][:3], good[3]], {}, "same methods, seeds and draws"),
        ([good[0][0], good[1], good[2][0], good[3]], {}, r"\[M, S\]"),
        ([good[0], good[1][..., 0], good[2], good[3][..., 0]], {}, r"\[M, S, B\]"),
        ([good[0], good[1][..., :1], good[2], good[3][..., :1]], {}, "B >= 2"),
        ([good[0][:, :2], good[1], good[2][:, :2], good[3]], {}, "S >= 1"),
        (good, {"kind": "pearson"}, "kendall"),
        (good, {"level": 95}, "between 0 and 1"),
    ]:
        with pytest.raises(BenchmarkError, match=message):
            correlation(parts, **options)
