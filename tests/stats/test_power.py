import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from statsmodels.stats.power import TTestPower

from benchmark.errors import BenchmarkError
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.compare import paired_difference
from benchmark.stats.interval import variance_sum
from benchmark.stats.power import Pilot, fewest_units, pilot_of, power, smallest_difference

PILOT = Pilot(0.03, of_units=2e-4, of_seeds=6e-4, n_units=400, n_seeds=5, of_both=2e-4)


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_with_seeds_alone_it_is_the_power_of_the_paired_t_test(seeds):
    pilot = Pilot(0.0, 0.0, 0.04**2, 500, 3)
    for delta in (0.01, 0.05, 0.2):
        expected = TTestPower().power(delta / 0.04, seeds, 0.05)
        assert power(pilot, delta, 700, seeds) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("units", [20, 200, 900])
def test_with_units_alone_it_is_the_power_of_the_paired_t_test_of_images(units):
    pilot = Pilot(0.0, 0.3**2 / 100, 0.0, 100, 3)  # images' differences have a deviation of .3
    for alpha in (0.05, 0.01):
        expected = TTestPower().power(0.05 / 0.3, units, alpha)
        assert power(pilot, 0.05, units, 4, alpha=alpha) == pytest.approx(expected, abs=1e-6)


def test_variance_and_degrees_of_freedom_are_those_of_the_tables_interval():
    """Draws with a given variance: the power, worked out from the interval's own numbers by integration."""
    draws = np.array([-1, 1]) * math.sqrt(2e-4 / 2)
    values = stats.norm.ppf(np.linspace(0.1, 0.9, 5))
    values *= math.sqrt(6e-4 / values.var(ddof=1))
    table = variance_sum(values, draws, 400)
    assert table.se == pytest.approx(math.sqrt(2e-4 + 6e-4 / 5))
    bar = stats.t.ppf(0.975, table.df)

    def rejected(share):
        scale = bar * math.sqrt(stats.chi2.ppf(share, table.df) / table.df)
        shift = 0.06 / table.se
        return stats.norm.sf(scale - shift) + stats.norm.cdf(-scale - shift)

    simple = Pilot(0.0, 2e-4, 6e-4, 400, 5)
    assert power(simple, 0.06, 400, 5) == pytest.approx(quad(rejected, 0, 1)[0], abs=1e-4)


def test_the_simple_model_is_the_sum_of_both_variances():
    """``Vu n0 / n + s² / S``: four times the units and half the seeds, written as a pilot of its own."""
    pilot, other = Pilot(0.0, 2e-4, 6e-4, 400, 6), Pilot(0.0, 0.5e-4, 6e-4, 1600, 3)
    assert power(pilot, 0.05, 1600, 3) == pytest.approx(power(other, 0.05, 1600, 3))


def test_false_alarms_are_alpha_where_nothing_is_counted_twice_and_fewer_where_it_is():
    assert power(Pilot(0.0, 2e-4, 6e-4, 400, 5), 0.0, 400, 5) == pytest.approx(0.05, abs=1e-6)
    assert power(PILOT, 0.0, 400, 5) < 0.045


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 0.3), st.integers(2, 5000), st.integers(2, 40), st.floats(0, 1))
def test_power_is_a_chance_that_grows_with_the_difference_and_not_with_its_sign(delta, units, seeds, both):
    pilot = Pilot(0.0, 2e-4, 6e-4, 400, 5, both * 6e-4)
    got = power(pilot, delta, units, seeds)
    assert 0 <= got <= 1
    assert power(pilot, -delta, units, seeds) == got
    assert power(pilot, 1.2 * delta, units, seeds) >= got - 1e-4
    scaled = Pilot(0.0, 2.0, 6.0, 400, 5, both * 6.0)
    assert power(scaled, 100 * delta, units, seeds) == pytest.approx(got, abs=1e-4)


def test_a_table_is_many_designs_at_once():
    units, seeds = np.array([[100], [400], [1600]]), np.array([3, 5])
    got = power(PILOT, 0.05, units, seeds)
    assert got.shape == (3, 2)
    assert got[2, 0] == pytest.approx(power(PILOT, 0.05, 1600, 3))


def test_the_smallest_difference_is_found_with_just_the_power():
    least = smallest_difference(PILOT, 400, 5, target=0.9, alpha=0.01)
    assert power(PILOT, least, 400, 5, alpha=0.01) == pytest.approx(0.9, abs=1e-6)
    assert power(PILOT, 0.99 * least, 400, 5, alpha=0.01) < 0.9


def test_the_fewest_units_are_found_one_by_one():
    found = fewest_units(PILOT, 0.06, [2, 3, 4, 6, 10])
    assert found[0] is None and found[-1] is not None
    for seeds, units in zip([2, 3, 4, 6, 10], found, strict=True):
        reached = power(PILOT, 0.06, np.arange(30, 6000), seeds) >= 0.8
        assert units == (int(np.flatnonzero(reached)[0]) + 30 if reached.any() else None)


def test_no_design_has_fewer_units_than_thirty():
    assert fewest_units(PILOT, 1.0, [8]) == [30]


def test_two_seeds_can_lose_power_by_more_units_and_the_search_knows():
    """With few units they make up the variance and its many degrees of freedom; with many only one is left."""
    pilot = Pilot(0.0, 1e-2, 2e-3, 100, 5)
    few, many = power(pilot, 0.25, np.array([400, 1_000_000]), 2)
    assert few > 0.8 > many
    (units,) = fewest_units(pilot, 0.25, [2])
    assert units is not None and units <= 400


def pilot_data(rng, repeats, units, seeds, of_unit, of_seed, of_both):
    """Differences ``[repeats, S, N]`` of two methods: what a unit, a training, and both together add."""
    shape = (repeats, 1, units), (repeats, seeds, 1), (repeats, seeds, units)
    return sum(sd * rng.normal(size=s) for sd, s in zip((of_unit, of_seed, of_both), shape, strict=True))


def test_parts_of_the_variance_are_found_again():
    rng = np.random.default_rng(0)
    data = pilot_data(rng, 1, 500, 60, 1.0, 0.1, 2.0)[0]
    draws = data @ resample_counts(np.arange(500).astype(str), 2000, rng).T / 500
    got = pilot_of(data.mean(1), draws, 500)
    # Relative errors: 1 / sqrt(2 * 500) for units with 2000 draws about 7 %, of 60 seeds 18 %.
    assert got.of_units == pytest.approx((1 + 4 / 60) / 500, rel=0.2)
    assert got.of_both == pytest.approx(4 / 500, rel=0.1)
    assert got.of_seeds == pytest.approx(0.1**2 + 4 / 500, rel=0.5)
    assert got.difference == pytest.approx(data.mean())


def test_parts_of_two_seeds_by_hand():
    # Draws of the two seeds go each its own way, with variance v = 4 / 3: their mean has v / 2, and all of it is I = v.
    alone = pilot_of(np.array([0.0, 4.0]), np.array([[1.0, 1, -1, -1], [1, -1, 1, -1]]), 9)
    assert (alone.of_units, alone.of_both, alone.of_seeds) == (pytest.approx(2 / 3), pytest.approx(4 / 3), 8)
    # Draws that go together leave nothing to either seed by itself.
    together = pilot_of(np.array([0.0, 4.0]), np.array([[1.0, 1, -1, -1]] * 2), 9)
    assert (together.of_units, together.of_both) == (pytest.approx(4 / 3), 0)


@pytest.mark.parametrize("of_both", [0.0, 1.5])
def test_predicted_power_is_that_of_the_test_in_a_simulation(of_both):
    """Known variances at a pilot of other size; the design's test is that of the tables, draws and all."""
    rng, repeats, units, seeds = np.random.default_rng(1), 700, 60, 4
    of_unit, of_seed = 1.0, 0.2
    pilot = Pilot(
        difference=0.0,
        of_units=(of_unit**2 + of_both**2 / 10) / 240,
        of_seeds=of_seed**2 + of_both**2 / 240,
        n_units=240,
        n_seeds=10,
        of_both=of_both**2 / 240,
    )
    delta = smallest_difference(pilot, units, seeds)
    counts = resample_counts(np.arange(units).astype(str), 400, rng) / units
    found = 0
    for data in delta + pilot_data(rng, repeats, units, seeds, of_unit, of_seed, of_both):
        nothing = np.zeros(seeds), np.zeros(len(counts))
        found += paired_difference(data.mean(1), counts @ data.mean(0), *nothing, units).p < 0.05
    # Sampling error over 700 repeats is .015; Satterthwaite's degrees of freedom are an approximation.
    assert found / repeats == pytest.approx(0.8, abs=0.05)


def test_pilots_of_usual_size_predict_the_power_on_average():
    """The whole way: a pilot's own estimates, then the power that they predict for the present design."""
    rng, units, seeds, told = np.random.default_rng(2), 150, 5, []
    true = Pilot(0.0, (1 + 0.25 / 5) / 150, 0.01 + 0.25 / 150, 150, 5, 0.25 / 150)
    delta = smallest_difference(true, units, seeds)
    counts = resample_counts(np.arange(units).astype(str), 300, rng) / units
    for data in pilot_data(rng, 200, units, seeds, 1.0, 0.1, 0.5):
        told.append(power(pilot_of(data.mean(1), data @ counts.T, units), delta, units, seeds))
    assert np.median(told) == pytest.approx(0.8, abs=0.06)


def test_what_draws_leave_undefined_is_left_out_while_it_is_little():
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(3, 100))
    holed = draws.copy()
    holed[1, :5] = np.nan
    assert pilot_of(np.arange(3.0), holed, 50) == pilot_of(np.arange(3.0), draws[:, 5:], 50)
    holed[1, :20] = np.nan
    with pytest.raises(BenchmarkError, match="80 of 100 draws"):
        pilot_of(np.arange(3.0), holed, 50)


def test_seed_bounds_are_those_of_a_variance_of_three():
    # chi-square quantiles with 2 degrees of freedom are -2 log: -2 log .025 = 7.378, -2 log .975 = .0506.
    low, high = Pilot(0.0, 1e-4, 1e-3, 100, 3).seed_bounds()
    assert low == pytest.approx(2e-3 / (-2 * math.log(0.025)))
    assert high == pytest.approx(2e-3 / (-2 * math.log(0.975)))


def test_one_seed_tells_no_seed_variance():
    with pytest.raises(BenchmarkError, match=r"one seed is not known; got 1; expected at least 2 seeds\. Train both"):
        pilot_of(np.array([0.1]), np.zeros((1, 50)) + np.arange(50), 100)


def test_no_variance_is_no_pilot():
    with pytest.raises(BenchmarkError, match="the difference of a pilot has no variance"):
        pilot_of(np.full(3, 0.25), np.full((3, 20), 0.25), 100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Pilot(0.0, -1e-4, 1e-3, 100, 3), "variances of a pilot"),
        (lambda: Pilot(0.0, 1e-4, math.nan, 100, 3), "finite"),
        (lambda: Pilot(0.0, 1e-4, 1e-3, 100, 3, of_both=5e-4), "no more than"),
        (lambda: Pilot(0.0, 1e-4, 1e-3, 1, 3), "units of a pilot"),
        (lambda: power(PILOT, 0.1, 1, 5), "at least 2 units"),
        (lambda: power(PILOT, 0.1, 400, 1), "2 seeds"),
        (lambda: power(PILOT, math.nan, 400, 5), "finite delta"),
        (lambda: power(PILOT, 0.1, 400, 5, alpha=5), "alpha between 0 and 1"),
        (lambda: smallest_difference(PILOT, 400, 5, target=80), "between alpha"),
        (lambda: fewest_units(PILOT, 0.1, [3], target=0.04), "between alpha = 0.05 and 1"),
        (lambda: pilot_of(np.zeros(3), np.zeros((2, 9)), 50), r"\[S, B\] with B >= 2"),
        (lambda: pilot_of(np.array([0.1, np.nan]), np.zeros((2, 9)), 50), "not defined for every seed"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call()
