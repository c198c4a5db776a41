import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchmark.errors import BenchmarkError
from benchmark.stats.bootstrap import resample_counts
from benchmark.stats.compare import holm, paired_difference
from benchmark.stats.interval import degrees_of_freedom

OURS, THEIRS = np.array([0.80, 0.84, 0.83, 0.9]), np.array([0.75, 0.80, 0.81, 0.82])


def test_seeds_alone_give_the_paired_t_test():
    same = np.full(100, 0.5)
    got = paired_difference(OURS, same, THEIRS, same, 1000, span=1)
    expected = stats.ttest_rel(OURS, THEIRS)
    bounds = expected.confidence_interval(0.95)
    assert got.p == pytest.approx(expected.pvalue)
    assert (got.interval.low, got.interval.high) == (pytest.approx(bounds.low), pytest.approx(bounds.high))


def test_units_alone_give_the_paired_t_test_of_images():
    rng = np.random.default_rng(0)
    truth = rng.random(400)
    ours, theirs = (truth < 0.82).astype(float), ((truth + rng.normal(0, 0.1, 400)) < 0.78).astype(float)
    weight = resample_counts(np.arange(400).astype(str), 8_000, rng) / 400
    one, other = ours.mean(keepdims=True), theirs.mean(keepdims=True)
    got = paired_difference(one, weight @ ours, other, weight @ theirs, 400)
    expected = stats.ttest_rel(ours, theirs)
    # The bootstrap's standard error has a relative error of 0.8 % at 8000 draws.
    assert got.interval.value / got.interval.se == pytest.approx(expected.statistic, rel=0.032)
    assert got.p == pytest.approx(expected.pvalue, rel=0.2)
    unpaired = math.hypot((weight @ ours).std(), (weight @ theirs).std())
    assert got.interval.se < 0.8 * unpaired


def test_bounds_and_p_agree():
    rng = np.random.default_rng(3)
    for shift in np.linspace(-0.2, 0.2, 41):
        got = paired_difference(OURS + shift, rng.normal(0, 0.02, 300), THEIRS, np.zeros(300), 60, span=1)
        excluded = got.interval.low > 0 or got.interval.high < 0
        assert excluded == (got.p < 0.05)


def test_order_of_the_sides_turns_the_sign_only():
    draws = np.random.default_rng(1).normal(0.8, 0.02, (2, 300))
    a = paired_difference(OURS, draws[0], THEIRS, draws[1], 60)
    b = paired_difference(THEIRS, draws[1], OURS, draws[0], 60)
    assert a.p == b.p
    assert (a.interval.low, a.interval.high) == (-b.interval.high, -b.interval.low)


def test_identical_methods_have_no_p_value():
    draws = np.random.default_rng(1).normal(size=30)
    got = paired_difference(OURS, draws, OURS, draws, 60, span=1)
    assert got.interval.value == 0
    assert math.isnan(got.p)
    assert math.isnan(got.interval.low)
    assert "no variance" in got.interval.reason


def test_bounds_are_clipped_to_the_span():
    got = paired_difference(np.array([1.0, 0.9]), np.zeros(9), np.array([0.0, 0.05]), np.zeros(9), 60, span=1)
    assert got.interval.high == 1


def test_unpaired_sides_are_refused():
    for ours, theirs, message in [((3, 9), (2, 9), "seeds"), ((3, 9), (3, 8), "draws")]:
        with pytest.raises(BenchmarkError, match=f"{message} of a paired difference"):
            paired_difference(np.zeros(ours[0]), np.zeros(ours[1]), np.zeros(theirs[0]), np.zeros(theirs[1]), 60)


def test_false_alarms_come_at_their_nominal_rate():
    rng = np.random.default_rng(8)
    units, seeds, repeats = 100, 3, 400
    counts = resample_counts(np.arange(units).astype(str), 250, rng) / units
    alarms = 0
    for _ in range(repeats):
        hard = rng.normal(size=(1, 1, units))
        skill = rng.normal(0, 0.2, (2, seeds, 1))
        ours, theirs = hard + skill + rng.normal(0, 0.5, (2, seeds, units)) < 0.8
        got = paired_difference(ours.mean(1), counts @ ours.mean(0), theirs.mean(1), counts @ theirs.mean(0), units)
        alarms += got.p < 0.05
    # Sampling error of .05 over 400 repeats is .011; the variance sum is conservative.
    assert 0.005 < alarms / repeats < 0.09


def test_holm_by_hand():
    # sorted .01, .02, .04: ×3, ×2, ×1, then the running maximum
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.02])), [0.04, 0.03, 0.04])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1, 1])


def test_a_member_without_a_p_value_still_counts_in_the_family():
    p = np.array([np.nan, 0.01, np.nan, 0.02])
    expected = multipletests([1, 0.01, 1, 0.02], method="holm")[1]
    np.testing.assert_allclose(holm(p), [np.nan, expected[1], np.nan, expected[3]])
    assert expected[1] == pytest.approx(0.04)
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert holm(np.array([])).shape == (0,)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_holm_agrees_with_statsmodels(size):
    p = np.random.default_rng(size).random(size) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_nothing_and_bonferroni(p):
    p = np.array(p)
    got = holm(p)
    assert (got >= p).all()
    assert (got <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.diff(got[np.argsort(p, kind="stable")]) >= -1e-12).all()


def family_error(seeds, share, methods, repetitions=40_000):
    """How often any of some equal methods is called different from the reference: normal effects, many units.

    Half of the variance of a difference is the reference's, so differences are correlated with 0.5.
    """
    rng = np.random.default_rng(seeds)

    def differences(*shape):
        return (rng.normal(size=(repetitions, methods, *shape)) + rng.normal(size=(repetitions, 1, *shape))) / np.sqrt(
            2
        )

    runs = np.sqrt(share * seeds) * differences(seeds)
    value, of_seeds = runs.mean(2) + np.sqrt(1 - share) * differences(), runs.var(2, ddof=1) / seeds
    df = degrees_of_freedom(1 - share, 10**6, of_seeds, seeds)
    p = 2 * stats.t.sf(np.abs(value) / np.sqrt(1 - share + of_seeds), df)
    return float(np.mean(methods * p.min(1) < 0.05))  # the first step of Holm decides whether there is any error


@pytest.mark.parametrize(("seeds", "methods"), [(3, 10), (5, 10), (10, 10), (3, 24)])
def test_the_page_says_how_often_a_family_of_equal_methods_has_a_false_alarm(seeds, methods):
    page = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {seeds} seeds, {methods} methods \| ([^|]*) \| ([^|]*) \|$", page, re.M)
    for told, share in zip(row, (0.75, 0.9), strict=True):
        assert 100 * family_error(seeds, share, methods) == pytest.approx(float(told), abs=0.8)
