r"""The band of a retrained model, by hand, by another library, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmark.check.band import sample_band, sample_gap_band, sample_reach, training_band
from benchmark.errors import BenchmarkError


def test_the_training_band_by_hand():
    # mean 0.906; squares 0.053² + 0.026² + 0.027² = 0.004214; s = sqrt(0.002107) = 0.045902; t(0.975, 2) = 4.302653
    band = training_band(np.array([0.959, 0.880, 0.879]), 0)
    half = 4.302653 * 0.045902 * 1.414214
    assert band is not None
    assert (band.low, band.high) == pytest.approx((0.959 - half, 0.959 + half), abs=2e-5)
    assert band.basis == "training"


def test_two_seeds_have_the_quantile_of_one_degree_of_freedom():
    # s = 0.02 / sqrt(2), so the half width is 12.706 * 0.02
    band = training_band(np.array([0.5, 0.52]), 1)
    assert band is not None
    assert band.high - 0.52 == pytest.approx(12.7062 * 0.02, rel=1e-5)


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.7], [0.3, 0.3 + 1e-14]])
def test_seeds_without_variance_tell_no_band(values):
    assert training_band(np.array(values), 0) is None


@pytest.mark.parametrize(("values", "place"), [([0.5, np.nan], 0), ([0.5, 0.6], 2), ([], 0), ([0.5, 0.6], -1)])
def test_bad_values_are_refused(values, place):
    with pytest.raises(BenchmarkError, match="stored values of a band"):
        training_band(np.array(values), place)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.data())
def test_a_training_with_equal_bits_is_always_inside(values, data):
    place = data.draw(st.integers(0, len(values) - 1))
    band = training_band(np.array(values), place)
    assert band is None or band.holds(values[place])


@pytest.mark.parametrize(("seeds", "at_most"), [(2, 0.985), (3, 0.985), (5, 0.985), (10, 0.98)])
def test_it_holds_one_more_draw_in_at_least_95_of_100_cases(seeds: int, at_most: float):
    rng = np.random.default_rng(seeds)
    stored = rng.normal(size=(200_000, seeds))
    new = rng.normal(size=200_000)
    half = student.ppf(0.975, seeds - 1) * stored.std(axis=1, ddof=1) * np.sqrt(2)
    inside = np.abs(new - stored[:, 0]) <= half
    assert 0.95 <= inside.mean() <= at_most
    for k in range(50):  # the formula of the simulation is that of the code
        band = training_band(stored[k], 0)
        assert band is not None
        assert band.holds(new[k]) == inside[k]


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_reach_of_the_test_sample_is_newcombes_interval_of_the_difference(stored, new, level):
    low, high = confint_proportions_2indep(new, 60, stored, 60, method="newcomb", compare="diff", alpha=1 - level)
    below, above = sample_reach(stored / 60, new / 60, 60, level=level)
    d = (new - stored) / 60
    assert above == pytest.approx(d - low, abs=1e-9)
    assert below == pytest.approx(high - d, abs=1e-9)


def test_the_sample_band_at_the_edge_by_hand():
    # Wilson's lower bound of 1000 of 1000 is 1000 / (1000 + 1.959964²) = 0.996173, the upper bound 1
    band = sample_band(1.0, 1.0, 1000)
    assert (band.low, band.high, band.basis) == (pytest.approx(0.996173, abs=1e-6), 1.0, "test sample")
    assert sample_band(1.0, 0.997, 1000).holds(0.997)
    assert not sample_band(1.0, 0.99, 1000).holds(0.99)
    assert sample_band(0.0, 0.0, 50).low == 0.0


def test_the_band_of_a_gap_adds_the_squares_of_both_parts():
    # all right on iid, 0 of 1000 on the variant, as before: each side reaches 1 - 0.996173 towards the middle
    one = 1 - 1000 / (1000 + 1.959964**2)
    band = sample_gap_band((1.0, 0.0), (1.0, 0.0), 1000)
    assert band.low == pytest.approx(1 - np.hypot(one, one), abs=1e-6)
    assert band.holds(1.0)
    assert not band.holds(0.99)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_nan_is_never_inside(value):
    assert not sample_band(value, value, 10).holds(float("nan"))
