import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmark.errors import BenchmarkError
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.interval import degrees_of_freedom, seeds_only, variance_sum, wilson


def two_points(spread):
    """Draws with mean 0 and sample variance ``spread²``."""
    return np.array([-1.0, 1.0]) * spread / math.sqrt(2)


def test_degrees_of_freedom_by_hand():
    # Vu = 0.04² = 0.0016; s² of (.70, .76, .82) = .0036, Vs = .0036/3 = .0012
    # df = .0028 / (.0016/100 + .0012/2) = .0028 / .000616 = 4.5454...
    got = variance_sum(np.array([0.70, 0.76, 0.82]), 0.76 + two_points(0.04), 101)
    assert got.value == pytest.approx(0.76)
    assert got.se == pytest.approx(math.sqrt(0.0028))
    assert got.df == pytest.approx(0.0028 / 0.000616)
    # t quantile 0.975 between those of 4 (2.77645) and 5 (2.57058) degrees of freedom
    assert 2.57058 < (got.high - got.value) / got.se < 2.77645
    assert got.value - got.low == pytest.approx(got.high - got.value)
    assert got.reason == ""


def test_the_quantile_is_nearly_that_of_cochran_and_cox():
    # the mean of both parts' t quantiles, weighted by their variances
    for seeds, tolerance in ((5, 0.03), (10, 0.005), (30, 0.0005)):
        for share in (0.2, 0.5, 0.8):
            df = degrees_of_freedom(1 - share, 200, share, seeds)
            exact = share * stats.t.ppf(0.975, seeds - 1) + (1 - share) * stats.t.ppf(0.975, 199)
            assert stats.t.ppf(0.975, df) == pytest.approx(exact, rel=tolerance)


def test_they_lie_between_those_of_seeds_and_units_and_below_satterthwaites():
    for share in (0.01, 0.3, 0.9):
        df = degrees_of_freedom(1 - share, 400, share, 4)
        assert 3 < df < 399
        assert df < 1 / ((1 - share) ** 2 / 399 + share**2 / 3)


def test_one_seed_counts_units_only():
    got = variance_sum(np.array([0.5]), 0.5 + two_points(0.1), 11)
    # t quantile 0.975 of 10 degrees of freedom
    assert (got.df, got.se) == (pytest.approx(10), pytest.approx(0.1))
    assert got.high == pytest.approx(0.5 + 0.1 * 2.228139, abs=1e-6)


def test_seed_variance_alone_is_the_t_interval():
    values = np.array([0.1, 0.4, 0.3, 0.35])
    got = variance_sum(values, np.full(10, values.mean()), 100)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (got.low, got.high, got.df) == (pytest.approx(low), pytest.approx(high), pytest.approx(3))
    alone = seeds_only(values)
    assert (alone.low, alone.high) == (pytest.approx(low), pytest.approx(high))


def test_level():
    narrow, wide = (variance_sum(np.array([0.5]), two_points(0.1), 11, level=level) for level in (0.5, 0.99))
    # t quantiles 0.75 and 0.995 of 10 degrees of freedom
    assert narrow.high - 0.5 == pytest.approx(0.0699812, abs=1e-6)
    assert wide.high - 0.5 == pytest.approx(0.3169273, abs=1e-6)


def test_bounds_are_clipped_to_the_range():
    got = variance_sum(np.array([0.95, 0.99]), 0.97 + two_points(0.05), 20, low=0, high=1)
    assert got.high == 1
    assert got.low > 0.7
    assert seeds_only(np.array([0.1, 0.9]), low=0.0).low == 0


def test_no_variance_gives_wilson():
    # 30 of 30: centre and half width by Wilson's formula, z = 1.959964: low = n / (n + z²)
    got = variance_sum(np.ones(3), np.ones(50), 30, low=0, high=1)
    assert got.low == pytest.approx(30 / (30 + 1.959964**2), abs=1e-6)
    assert (got.value, got.high, got.se) == (1, pytest.approx(1), 0)
    assert "Wilson" in got.reason
    zero = variance_sum(np.zeros(1), np.zeros(50), 30, low=0, high=1)
    assert (zero.low, zero.high) == (pytest.approx(0), pytest.approx(1 - got.low))


def test_rounding_is_no_variance():
    draws = 0.3 + np.random.default_rng(0).choice([-1, 0, 1], 100) * 2.0**-54
    assert draws.std() > 0
    assert "Wilson" in variance_sum(np.full(3, 0.3), draws, 10, low=0, high=1).reason


@pytest.mark.parametrize(
    ("values", "draws", "n_units", "reason"),
    [
        (np.zeros(3), np.zeros(9), 30, "no variance"),
        (np.array([0.1, np.nan]), np.arange(9.0), 30, "not defined for every seed"),
        (np.array([0.1, 0.2]), np.array([np.nan] * 5 + [0.1, 0.2, 0.3, 0.4]), 30, "in 4 of 9 draws"),
        (np.array([0.1, 0.2]), np.arange(9.0), 1, "1 unit"),
    ],
)
def test_undefined_bounds_say_why(values, draws, n_units, reason):
    got = variance_sum(values, draws, n_units, low=-1, high=1)
    assert math.isnan(got.low)
    assert math.isnan(got.high)
    assert math.isnan(got.df)
    assert reason in got.reason
    assert got.value == pytest.approx(values.mean(), nan_ok=True)


def test_few_undefined_draws_are_left_out():
    draws = np.append(np.arange(20.0), np.nan)
    assert variance_sum(np.array([9.5]), draws, 50) == variance_sum(np.array([9.5]), draws[:-1], 50)


@pytest.mark.parametrize(
    ("values", "reason"), [([0.3], "one seed"), ([0.3, 0.3], "no var"), ([np.nan, 1], "every seed")]
)
def test_seeds_only_says_why(values, reason):
    got = seeds_only(np.array(values))
    assert math.isnan(got.low)
    assert reason in got.reason


def test_faults_are_told():
    for call, message in [
        (lambda: variance_sum(np.array([]), np.zeros(5), 9), "S >= 1"),
        (lambda: variance_sum(np.zeros(2), np.zeros(1), 9), "B >= 2"),
        (lambda: variance_sum(np.zeros(2), np.zeros(5), 9, level=95), "between 0 and 1"),
        (lambda: seeds_only(np.zeros((2, 2))), "S >= 1"),
    ]:
        with pytest.raises(BenchmarkError, match=message):
            call()


def test_streams_decide():
    correct = np.random.default_rng(0).random(80) < 0.7
    unit = np.arange(80).astype(str)

    def interval(seed):
        draws = resample_counts(unit, 200, np.random.default_rng(seed)) @ correct / 80
        return variance_sum(np.array([correct.mean()]), draws, 80, low=0, high=1)

    assert interval(1) == interval(1)
    assert interval(1).low != interval(2).low


def test_shared_errors_in_clusters_widen_the_interval():
    # 40 patients of 9 images, all of them right or all wrong: the true standard error is 3 times the naive one.
    right = np.repeat(np.random.default_rng(1).permutation([1.0] * 28 + [0.0] * 12), 9)
    image, patient = np.arange(360).astype(str), np.repeat(np.arange(40), 9).astype(str)

    def se(unit):
        draws = resample_counts(unit, 3000, np.random.default_rng(2)) @ right / 360
        return variance_sum(np.array([0.7]), draws, len(np.unique(unit)), low=0, high=1).se

    assert se(patient) == pytest.approx(math.sqrt(0.7 * 0.3 / 40), rel=0.06)
    assert se(patient) / se(image) == pytest.approx(3, rel=0.1)


def test_coverage_by_simulation():
    """Seeds and units both vary (logit scale), errors are shared among seeds; truth by a large sample."""
    rng = np.random.default_rng(6)
    units, seeds, repeats, draws = 120, 4, 500, 250

    def right(n, s):
        difficulty = rng.normal(0.8, 1.2, size=(1, n))
        skill = rng.normal(0, 0.35, size=(s, 1))
        return rng.random((s, n)) < 1 / (1 + np.exp(-difficulty - skill))

    truth = np.mean([right(400, 400).mean() for _ in range(20)])
    counts = resample_counts(np.arange(units).astype(str), draws, rng)
    inside = {"both": 0, "units": 0, "seeds": 0}
    for _ in range(repeats):
        runs = right(units, seeds)
        values, drawn = runs.mean(1), counts @ runs.mean(0) / units
        for name, got in {
            "both": variance_sum(values, drawn, units, low=0, high=1),
            "units": variance_sum(values.mean(keepdims=True), drawn, units, low=0, high=1),
            "seeds": seeds_only(values, low=0, high=1),
        }.items():
            inside[name] += got.low <= truth <= got.high
    # Sampling error of a coverage of .95 over 500 repeats is .0097.
    assert inside["both"] / repeats == pytest.approx(0.95, abs=0.035)
    assert max(inside["units"], inside["seeds"]) < inside["both"]


@pytest.mark.parametrize(("hits", "trials"), [(0, 7), (3, 7), (7, 7), (499, 500), (1, 100_000)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_wilson_is_statsmodels_one(hits: int, trials: int, level: float) -> None:
    theirs = proportion_confint(hits, trials, alpha=1 - level, method="wilson")
    assert wilson(hits / trials, trials, level=level) == pytest.approx(theirs, rel=1e-12, abs=1e-15)
