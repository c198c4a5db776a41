import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from benchmark.errors import BenchmarkError
from benchmark.stats.compare import paired_difference
from benchmark.stats.equivalence import equivalent, not_worse
from benchmark.stats.interval import Interval, seeds_only


def difference(value, se=1.0, df=1e9):
    return Interval(value, np.nan, np.nan, se, df)


@pytest.mark.parametrize("seed", range(6))
def test_on_seeds_alone_it_is_statsmodels_paired_test(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(0.02, 0.03, size=(2, 5))
    p, (_, above, _), (_, below, _) = ttost_paired(ours, theirs, -0.05, 0.05)
    got = seeds_only(ours - theirs)
    assert equivalent(got, 0.05) == pytest.approx(p)
    assert not_worse(got, 0.05) == pytest.approx(above)
    assert not_worse(got, 0.05, higher_is_better=False) == pytest.approx(below)


def test_of_the_headlines_difference():
    rng = np.random.default_rng(1)
    got = paired_difference(
        np.array([0.90, 0.91, 0.92]),
        0.91 + 0.01 * rng.normal(size=500),
        np.array([0.91, 0.90, 0.92]),
        np.full(500, 0.91),
        400,
    ).interval
    # d = 0: both sides alike, P(t_df > margin / se)
    assert equivalent(got, 0.05) == pytest.approx(stats.t.sf(0.05 / got.se, got.df))
    assert equivalent(got, 0.05) < 0.05 < equivalent(got, 0.01)


@pytest.mark.parametrize(
    ("value", "margin", "same", "no_worse"),
    [
        # normal deviates: P(z > 1.6449) = .05, P(z > 2) = .02275, P(z > 1) = .15866
        (0.0, 1.644854, 0.05, 0.05),
        (1.0, 1.0, 0.5, 0.02275),
        (-1.0, 2.0, 0.15866, 0.15866),
        (-3.0, 1.0, 0.97725, 0.97725),
        (3.0, 1.0, 0.97725, 0.00003),
    ],
)
def test_by_hand(value, margin, same, no_worse):
    assert equivalent(difference(value), margin) == pytest.approx(same, abs=2e-5)
    assert not_worse(difference(value), margin) == pytest.approx(no_worse, abs=2e-5)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8), st.floats(0.01, 1.5))
def test_small_p_and_the_90_percent_interval_inside_the_margin_are_one(values, margin):
    got = seeds_only(np.array(values), level=0.9)
    p = equivalent(got, margin)
    if np.isnan(got.df):
        assert np.isnan(p)
        return
    inside = -margin < got.low and got.high < margin
    assert (p < 0.05) == inside or p == pytest.approx(0.05, abs=1e-9)
    assert (not_worse(got, margin) < 0.05) == (got.low > -margin) or p == pytest.approx(0.05, abs=1e-9)


@given(st.floats(-3, 3), st.floats(0.1, 5), st.floats(2, 50))
def test_sides_and_margins(value, margin, df):
    got, turned = difference(value, df=df), difference(-value, df=df)
    assert equivalent(got, margin) == pytest.approx(equivalent(turned, margin))
    assert not_worse(got, margin) == not_worse(turned, margin, higher_is_better=False)
    assert equivalent(got, margin) >= not_worse(got, margin)
    assert equivalent(got, 2 * margin) <= equivalent(got, margin)


def test_much_better_is_no_worse_but_not_the_same():
    got = difference(0.2, se=0.01, df=5)
    assert not_worse(got, 0.02) < 1e-3
    assert equivalent(got, 0.02) > 0.99


@pytest.mark.parametrize("got", [difference(0.0, se=0.0), difference(0.0, se=np.nan), difference(0.0, df=np.nan)])
def test_without_variance_nothing_is_claimed(got):
    assert np.isnan(equivalent(got, 0.1))
    assert np.isnan(not_worse(got, 0.1))


def test_a_value_that_is_not_defined_has_no_p():
    assert np.isnan(equivalent(difference(np.nan), 0.1))


@pytest.mark.parametrize("margin", [0, -0.1, np.nan, np.inf])
def test_a_margin_is_a_positive_number(margin):
    for test in (equivalent, not_worse):
        with pytest.raises(BenchmarkError, match="margin of an equivalence test"):
            test(difference(0.0), margin)
