import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.stats.aggregate import (
    improvement_interval,
    interquartile_mean,
    iqm_interval,
    probability_of_improvement,
    resample_seeds,
)

OURS = np.array([[0.01, 0.63, 0.79, 0.51, 0.73], [0.23, 0.2, 0.36, 0.18, 0.35], [0.95, 0.57, 0.34, 0.27, 0.95]])
THEIRS = np.array([[0.01, 0.98, 0.52, 0.52], [0.9, 0.74, 0.58, 0.43], [0.88, 0.41, 0.92, 0.07]])
"""Three cells of five and of four seeds, with ties; made once, so that rliable's answers below belong to them."""


def test_numbers_are_those_of_rliable():
    """Version 1.2.0: metrics.aggregate_iqm and metrics.probability_of_improvement."""
    assert interquartile_mean(OURS) == pytest.approx(0.44333333333333336)
    assert interquartile_mean(THEIRS) == pytest.approx(0.6116666666666667)
    assert probability_of_improvement(OURS, THEIRS) == pytest.approx(0.375)


def test_the_middle_half_by_hand():
    # Eight runs of two cells: 1 2 | 3 4 5 6 | 7 100.
    assert interquartile_mean(np.array([[100.0, 3, 1, 6], [5, 4, 2, 7]])) == 4.5
    # Of five runs one is cut at either end (5 / 4, rounded down).
    assert interquartile_mean(np.array([[9.0, 1, 2, 3, -50]])) == 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6))
def test_iqm_is_scipys_trimmed_mean_of_all_runs_and_follows_the_scale(seed, cells, seeds):
    values = np.random.default_rng(seed).normal(size=(cells, seeds))
    expected = stats.trim_mean(values, 0.25, axis=None)
    assert interquartile_mean(values) == pytest.approx(expected)
    assert interquartile_mean(3 - 2 * values) == pytest.approx(3 - 2 * expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 6))
def test_improvement_counts_pairs_within_cells(seed, cells, ours, theirs, values):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(values, size=(cells, ours)), rng.integers(values, size=(cells, theirs))
    pairs = [[(a > b) + (a == b) / 2 for a in x[c] for b in y[c]] for c in range(cells)]
    got = probability_of_improvement(x, y)
    assert got == pytest.approx(np.mean(pairs))
    assert probability_of_improvement(y, x) == pytest.approx(1 - got)
    assert probability_of_improvement(x, y, higher_is_better=False) == pytest.approx(1 - got)
    u = np.mean([stats.mannwhitneyu(x[c], y[c]).statistic / (ours * theirs) for c in range(cells)])
    assert got == pytest.approx(u)


def test_cells_weigh_the_same_and_are_never_mixed():
    # Ours wins everywhere within its cell, though nearly every run of the second cell is below those of the first.
    ours, theirs = np.array([[0.9, 0.91], [0.2, 0.21]]), np.array([[0.8, 0.81], [0.1, 0.11]])
    assert probability_of_improvement(ours, theirs) == 1


def test_seeds_are_drawn_within_their_cell():
    values = np.arange(6.0).reshape(2, 3)
    drawn = resample_seeds(values, 4000, np.random.default_rng(0))
    assert drawn.shape == (4000, 2, 3)
    assert set(drawn[:, 0].ravel()) == {0, 1, 2}
    assert set(drawn[:, 1].ravel()) == {3, 4, 5}
    # Each of 12,000 places holds one of three seeds: four sigma of a share of 1/3 are .017.
    np.testing.assert_allclose([(drawn == v).sum() / 12_000 for v in range(6)], 1 / 3, atol=0.017)
    # Cells are drawn by themselves.
    assert abs(np.corrcoef(drawn.mean(2).T)[0, 1]) < 0.07


def test_spread_of_one_cell_is_known():
    # Means of two seeds drawn from {0, 1}: 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    got = iqm_interval(np.array([[0.0, 1.0]]), 20_000, np.random.default_rng(1))
    assert (got.value, got.low, got.high) == (0.5, 0, 1)
    assert got.se == pytest.approx(math.sqrt(1 / 8), rel=0.02)
    half = iqm_interval(np.array([[0.0, 1.0]]), 20_000, np.random.default_rng(1), level=0.4)
    assert (half.low, half.high) == (0.5, 0.5)


def test_interval_is_that_of_scipys_bootstrap_for_one_cell():
    values = np.random.default_rng(2).normal(size=12)
    reference = stats.bootstrap(
        (values,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=6000,
        method="percentile",
        rng=np.random.default_rng(3),
    )
    got = iqm_interval(values[None], 6000, np.random.default_rng(4))
    assert got.se == pytest.approx(reference.standard_error, rel=0.05)
    bounds = reference.confidence_interval
    assert (got.low, got.high) == (pytest.approx(bounds.low, abs=0.06), pytest.approx(bounds.high, abs=0.06))


def test_streams_decide():
    def bounds(seed):
        got = improvement_interval(OURS, THEIRS, 300, np.random.default_rng(seed))
        return got.low, got.high, got.se

    assert bounds(1) == bounds(1)
    assert bounds(1) != bounds(2)
    assert iqm_interval(OURS, 300, np.random.default_rng(1)) == iqm_interval(OURS, 300, np.random.default_rng(1))


def test_bounds_hold_the_value_and_turn_with_the_direction():
    got = improvement_interval(OURS, THEIRS, 2000, np.random.default_rng(5))
    turned = improvement_interval(OURS, THEIRS, 2000, np.random.default_rng(5), higher_is_better=False)
    assert got.value == pytest.approx(0.375)
    assert 0 <= got.low < got.value < got.high <= 1
    assert (turned.low, turned.high) == (pytest.approx(1 - got.high), pytest.approx(1 - got.low))


@pytest.mark.parametrize(
    ("ours", "reason"),
    [
        (np.array([[0.5], [0.6]]), "one seed"),
        (np.array([[2.0, 3.0], [2.0, 3.0]]), "no variance"),  # better in every draw
    ],
)
def test_undefined_bounds_say_why(ours, reason):
    got = improvement_interval(ours, np.array([[0.1, 0.2], [0.3, 0.4]]), 100, np.random.default_rng(0))
    assert got.value == 1
    assert math.isnan(got.low)
    assert reason in got.reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: interquartile_mean(np.zeros(3)), "C >= 1 cells"),
        (lambda rng: interquartile_mean(np.zeros((2, 0))), "S >= 1 seeds"),
        (lambda rng: interquartile_mean(np.array([[0.1, 0.2], [0.3, np.nan]])), "value of cell 1 is not finite"),
        (lambda rng: probability_of_improvement(OURS, THEIRS[:2]), "cells of two methods"),
        (lambda rng: iqm_interval(OURS, 1, rng), "at least 2 draws"),
        (lambda rng: iqm_interval(OURS, 10, rng, level=95), "between 0 and 1"),
        (lambda rng: iqm_interval(OURS[None], 10, rng), r"\[C, S\]"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call(np.random.default_rng(0))
