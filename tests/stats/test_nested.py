import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.stats.interval import variance_sum
from benchmark.stats.nested import nested, nested_draws


def made_up(seeds=5, draws=4000, of_seeds=0.3, of_units=0.2, seed=0):
    """Seeds' values, and their draws: what units do is common to all seeds."""
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=of_seeds, size=seeds)
    return values, values[:, None] + rng.normal(scale=of_units, size=draws)


def test_two_seeds_are_drawn_like_two_coins():
    draws = nested_draws(np.array([[0.0] * 8000, [1.0] * 8000]), np.random.default_rng(0))
    seen = [(draws == value).sum() for value in (0, 0.5, 1)]
    assert sum(seen) == 8000
    assert stats.chisquare(seen, [2000, 4000, 2000]).pvalue > 1e-3
    # P(0) = P(1) = 1/4: the quantiles of 20 % and 80 % are 0 and 1, those of 30 % and 70 % both 1/2
    for level, bounds in {0.6: (0, 1), 0.4: (0.5, 0.5)}.items():
        got = nested(np.array([[0.0] * 8000, [1.0] * 8000]), np.random.default_rng(0), level=level)
        assert (got.low, got.high) == bounds


def test_seeds_and_draws_of_units_are_crossed():
    # Each draw of units has its own value, the same for all seeds: seeds can not change it.
    of_units = np.random.default_rng(1).normal(size=300)
    draws = np.tile(of_units, (4, 1))
    np.testing.assert_allclose(nested_draws(draws, np.random.default_rng(2)), of_units, atol=1e-12)
    got = nested(draws, np.random.default_rng(3), level=0.9)
    assert (got.low, got.high) == pytest.approx(tuple(np.quantile(of_units, [0.05, 0.95])))
    assert got.se == pytest.approx(of_units.std(ddof=1))


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_variance_is_that_of_the_units_and_a_little_less_than_that_of_the_seeds(seeds):
    values, draws = made_up(seeds, 40_000)
    got = nested(draws, np.random.default_rng(4), values=values)
    expected = 0.2**2 + values.var(ddof=0) / seeds  # s²/S without Bessel's correction: short by (S - 1) / S
    assert got.se**2 == pytest.approx(expected, rel=0.04)
    headline = variance_sum(values, draws.mean(0), 10_000)
    assert got.se < headline.se
    assert got.value == headline.value


def test_with_many_seeds_it_agrees_with_the_headline():
    values, draws = made_up(60, 20_000)
    got = nested(draws, np.random.default_rng(5), values=values)
    headline = variance_sum(values, draws.mean(0), 10_000)
    assert (got.low, got.high) == pytest.approx((headline.low, headline.high), abs=0.1 * headline.se)


def test_the_stream_decides():
    _, draws = made_up()
    assert nested(draws, np.random.default_rng(6)) == nested(draws, np.random.default_rng(6))
    assert nested(draws, np.random.default_rng(6)).low != nested(draws, np.random.default_rng(7)).low
    same, other = (nested_draws(draws, np.random.default_rng(seed)) for seed in (6, 7))
    np.testing.assert_array_equal(same, nested_draws(draws, np.random.default_rng(6)))
    assert (same != other).any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.integers(1, 4))
def test_methods_are_compared_on_the_same_seeds(seed, seeds, methods):
    draws = np.random.default_rng(seed).normal(size=(methods, seeds, 50))
    together = nested_draws(draws, np.random.default_rng(seed))
    assert together.shape == (methods, 50)
    for alone, ours in zip(draws, together, strict=True):
        np.testing.assert_allclose(nested_draws(alone, np.random.default_rng(seed)), ours, atol=1e-12)


def test_bounds_stay_in_the_range_and_the_value_is_that_of_all_units():
    values, draws = made_up(of_units=1.0)
    got = nested(draws, np.random.default_rng(8), values=values, low=-0.1, high=0.1)
    assert (got.low, got.high, got.value) == (-0.1, 0.1, values.mean())
    assert np.isnan(got.df)
    assert nested(draws, np.random.default_rng(8)).value == pytest.approx(draws.mean())


@pytest.mark.parametrize(
    ("draws", "values", "reason"),
    [
        (np.zeros((1, 20)) + np.arange(20), None, "one seed"),
        (np.full((3, 20), 0.7), None, "no variance between units or seeds"),
        (np.where(np.arange(20) < 5, np.nan, np.ones((2, 20))), None, "defined in 15 of 20 draws only"),
        (np.full((3, 20), np.nan), None, "defined in 0 of 20 draws only"),
        (np.tile(np.arange(20.0), (2, 1)), np.array([0.5, np.nan]), "not defined for every seed"),
    ],
)
def test_where_there_are_no_bounds_the_reason_is_told(draws, values, reason):
    got = nested(draws, np.random.default_rng(9), values=values)
    assert np.isnan([got.low, got.high]).all()
    assert reason in got.reason


def test_a_few_draws_without_a_value_are_left_out():
    of_units = np.append(np.linspace(0, 1, 101), [np.nan] * 5)
    got = nested(np.tile(of_units, (3, 1)), np.random.default_rng(10), level=0.9)
    assert (got.low, got.high, got.value) == (pytest.approx(0.05), pytest.approx(0.95), pytest.approx(0.5))


@pytest.mark.parametrize(
    ("draws", "options", "message"),
    [
        (np.ones(5), {}, "draws of a nested bootstrap"),
        (np.ones((3, 1)), {}, "draws of a nested bootstrap"),
        (np.ones((0, 5)), {}, "draws of a nested bootstrap"),
        (np.ones((3, 5)), {"values": np.ones(2)}, "values of a nested bootstrap"),
        (np.ones((3, 5)), {"level": 0.0}, "level of an interval"),
    ],
)
def test_faults_are_told(draws, options, message):
    with pytest.raises(BenchmarkError, match=message):
        nested(draws, np.random.default_rng(0), **options)
