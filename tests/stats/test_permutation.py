import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from benchmark.errors import BenchmarkError
from benchmark.stats import permutation
from benchmark.stats.permutation import max_t, sign_flip


def alone(count):
    return np.arange(count).astype(str)


def flip(difference, unit=None, seed=0, **options):
    unit = alone(len(difference)) if unit is None else unit
    return sign_flip(np.asarray(difference), unit, np.random.default_rng(seed), **options)


@pytest.mark.parametrize(
    ("difference", "p"),
    [
        ([1, 2, 3], 2 / 8),  # only +++ and ---
        ([1, 2, -3], 1),
        ([3, 2, -1], 4 / 8),  # |sum| >= 4: +++, ++- and their mirrors
        ([0.1, 0.2, -0.3], 1),  # .1 + .2 - .3 is not 0 in binary
        ([0, 0, 0], 1),
        ([0, 0, 5], 1),
    ],
)
def test_few_units_by_hand(difference, p):
    assert flip(difference) == p


@pytest.mark.parametrize("seed", range(5))
def test_all_patterns_agree_with_scipy(seed):
    difference = np.random.default_rng(seed).normal(0.3, size=10)
    theirs = stats.permutation_test(
        (difference, np.zeros(10)),
        lambda x, y, axis: (x - y).sum(axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert flip(difference) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_random_patterns_agree_with_scipy():
    difference = np.random.default_rng(1).normal(0.25, size=60)
    theirs = stats.permutation_test(
        (difference, np.zeros(60)),
        lambda x, y, axis: (x - y).sum(axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(2),
    )
    got = flip(difference, draws=20_000)
    assert 0.01 < got < 0.5
    # four standard errors of a difference of two shares of 20,000
    assert got == pytest.approx(theirs.pvalue, abs=4 * np.sqrt(2 * got / 20_000))


def test_random_patterns_agree_with_all_patterns(monkeypatch):
    difference = np.random.default_rng(3).normal(0.4, size=14)
    exact = flip(difference)
    monkeypatch.setattr(permutation, "EXACT_UNITS", 0)
    monkeypatch.setattr(permutation, "CELLS", 14 * 999)  # several blocks
    got = flip(difference, draws=20_000)
    assert got != exact
    assert got == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_the_correction_keeps_p_above_zero():
    assert flip(np.ones(40), draws=99) == 1 / 100
    assert flip(np.ones(20)) == 2**-19


def test_of_hits_and_misses_it_is_mcnemars_exact_test():
    ours, theirs = np.repeat([1, 1, 0, 0], [300, 11, 4, 85]), np.repeat([1, 0, 1, 0], [300, 11, 4, 85])
    table = [[300, 11], [4, 85]]
    assert flip(ours - theirs) == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-12)


def test_random_patterns_that_are_as_large_count():
    ours, theirs = np.repeat([1, 0], [20, 10]), np.repeat([0, 1], [20, 10])
    exact = mcnemar([[0, 20], [10, 0]], exact=True).pvalue  # .099; without the ties it would be .043
    assert flip(ours - theirs, draws=20_000) == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_images_of_a_patient_flip_together():
    patient = np.array(["b", "a", "b", "c", "a", "d"])
    difference = np.array([0.5, 1.0, 0.25, -0.5, 1.0, 0.25])
    assert flip(difference, patient) == flip([2.0, 0.75, -0.5, 0.25])
    assert flip(difference, patient) > flip(difference)  # six flips of their own promise more than there is


def test_copies_of_images_are_no_evidence():
    difference, patient = np.random.default_rng(4).normal(0.5, size=12), alone(12)
    assert flip(np.tile(difference, 5), np.tile(patient, 5)) == flip(difference, patient)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-4, 4), min_size=2, max_size=9),
    st.floats(0.01, 100),
    st.randoms(use_true_random=False),
)
def test_order_scale_and_side_do_not_matter(difference, scale, shuffler):
    p = flip(difference)
    mixed = difference.copy()
    shuffler.shuffle(mixed)
    assert flip(mixed) == p == flip(-scale * np.array(difference))
    assert 2.0 ** (1 - len(difference)) <= p <= 1


def test_under_no_difference_alarms_are_as_rare_as_they_say():
    rng, alarms, alone_alarms = np.random.default_rng(5), 0, 0
    patient = np.repeat(np.arange(30), 8)
    for _ in range(400):
        difference = rng.normal(size=30)[patient] + rng.normal(size=240)
        p = sign_flip(difference, patient, rng, draws=399)
        alarms += p <= 0.05
        alone_alarms += sign_flip(difference, np.arange(240), rng, draws=399) <= 0.05
    assert 1e-3 < stats.binom.cdf(alarms, 400, 0.05) < 1 - 1e-3
    assert alone_alarms > 0.3 * 400  # images taken for patients see differences everywhere


def test_the_stream_decides():
    difference = np.random.default_rng(6).normal(0.1, size=50)
    assert flip(difference, seed=1) == flip(difference, seed=1)
    assert flip(difference, seed=1) != flip(difference, seed=2)


def test_undefined_images_are_left_out():
    difference = np.array([1.0, np.nan, 2.0, 3.0])
    assert flip(difference) == flip([1.0, 2.0, 3.0])
    assert np.isnan(flip([np.nan, np.nan, 2.0]))
    assert np.isnan(flip([1.0, 2.0, 3.0], np.array(["a", "a", "a"])))


@pytest.mark.parametrize(
    ("difference", "unit", "draws"),
    [
        (np.ones((2, 2)), alone(2), 10),
        (np.ones(3), alone(2), 10),
        (np.array([1, np.inf]), alone(2), 10),
        (np.ones(2), alone(2), 0),
    ],
)
def test_faults_of_a_sign_flip_are_told(difference, unit, draws):
    with pytest.raises(BenchmarkError, match="sign-flip test"):
        sign_flip(difference, unit, np.random.default_rng(0), draws=draws)


def shared_draws(methods, draws=20_000, share=0.5, seed=0):
    """Normal draws, correlated by what all methods share."""
    rng = np.random.default_rng(seed)
    return np.sqrt(1 - share) * rng.normal(size=(methods, draws)) + np.sqrt(share) * rng.normal(size=draws)


def test_max_t_by_hand():
    # T of three draws: (-1, 0, 1) and, centred on 10 and ÷ 2, (1, -1, 0); the largest are 1, 1, 1
    draws = np.array([[-1.0, 0.0, 1.0], [12.0, 8.0, 10.0]])
    got = max_t(draws, np.array([0.0, 10.0]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(got, [1, 1 / 4])  # t = 0 and 5: as large 3 and 0 of 3, and 1 more of each


@pytest.mark.parametrize("scale", [0.1, 1 / 3, 1, 7])
def test_draws_as_large_as_the_difference_count(scale):
    # D = 0, d and 2d: |T| = 1, 0 and 1, and t = 1
    got = max_t(scale * np.array([[0.0, 1.0, 2.0]]), np.array([scale]), np.array([scale]))
    np.testing.assert_array_equal(got, [3 / 4])


def test_independent_methods_get_sidaks_p():
    draws = shared_draws(6, 40_000, share=0)
    t = np.array([0.5, 1.5, 2.0, 2.5, 2.8, 3.2])
    single = 2 * stats.norm.sf(t)
    np.testing.assert_allclose(max_t(draws + t[:, None], t, np.ones(6)), 1 - (1 - single) ** 6, atol=0.01)


def test_equal_methods_pay_for_one():
    draws = np.tile(shared_draws(1), (5, 1))
    np.testing.assert_allclose(max_t(draws + 2, np.full(5, 2.0), np.ones(5)), 2 * stats.norm.sf(2), atol=0.005)


def test_many_groups_against_one_agree_with_dunnett():
    rng = np.random.default_rng(7)
    groups = rng.normal([[0.0], [0.3], [0.3], [0.1]], size=(4, 300))
    control = rng.normal(size=300)
    theirs = stats.dunnett(*groups, control=control, rng=np.random.default_rng(8)).pvalue
    everything = [control, *groups]
    pooled = np.sqrt(np.mean([group.var(ddof=1) for group in everything]))
    resampled = [rng.choice(group, (10_000, 300)).mean(1) for group in everything]
    draws = np.stack(resampled[1:]) - resampled[0]
    difference = groups.mean(1) - control.mean()
    got = max_t(draws, difference, np.full(4, pooled * np.sqrt(2 / 300)))
    assert min(theirs) < 0.1 < max(theirs)
    np.testing.assert_allclose(got, theirs, atol=0.03)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(0, 0.95))
def test_adjusted_p_lies_between_nothing_and_bonferroni(seed, methods, share):
    rng = np.random.default_rng(seed)
    draws = shared_draws(methods, 2000, share, seed)
    difference = rng.normal(size=methods) * 2
    got = max_t(draws + difference[:, None], difference, np.ones(methods))
    spread = draws.std(1, ddof=1)
    own = (1 + (np.abs(draws / spread[:, None]) >= np.abs(difference)[:, None]).sum(1)) / 2001
    assert (got >= own - 1e-12).all()
    # Draws that are large for any method are at most those that are large for each. Of 2,000 normal draws a share is
    # the normal's within Monte-Carlo error: five standard errors of the sum, and a few draws where it is next to 0.
    bonferroni = methods * 2 * stats.norm.sf(np.abs(difference))
    assert (got <= np.minimum(1, bonferroni + 5 * np.sqrt(bonferroni / 2000) + 0.003)).all()
    order = np.argsort(-np.abs(difference))
    assert (np.diff(got[order]) >= 0).all()  # a larger t never has a larger p


def test_one_method_with_degrees_of_freedom_keeps_its_own_p():
    draws, t, df = shared_draws(1, 100_000), np.array([2.5]), np.array([4.0])
    got = max_t(0.1 * draws + t, t, np.ones(1), df)
    assert got == pytest.approx(2 * stats.t.sf(2.5, 4), abs=0.004)
    assert got > 3 * max_t(0.1 * draws + t, t, np.ones(1))


def test_what_seeds_add_to_the_standard_error_is_not_lost():
    # Draws of units spread .1; with the seeds the standard error is 1: no draw is to look small beside it.
    draws = 0.1 * shared_draws(3)
    assert (max_t(draws + 1, np.ones(3), np.ones(3)) > 2 * stats.norm.sf(1) - 0.01).all()


def test_what_is_not_defined_is_no_member_of_the_family():
    draws = shared_draws(7, 500)
    draws[4] = 0.3
    draws[5] = np.nan
    difference, se, df = np.arange(7.0), np.ones(7), np.full(7, 9.0)
    difference[0], se[1], se[2], df[3] = np.nan, 0, np.nan, np.nan
    got = max_t(draws, difference, se, df)
    assert np.isnan(got[:6]).all()
    assert got[6] == max_t(draws[6:], difference[6:], se[6:], df[6:])[0]
    assert np.isnan(max_t(draws[:2], difference[:2], se[:2])).all()


def test_a_draw_without_a_value_for_one_method_still_counts_for_the_others():
    draws = np.array([[-1.0, 0.0, 1.0, np.nan], [7.0, 10.0, 9.5, 9.5]])
    assert max_t(draws[:1] + 5, np.array([5.0]), np.ones(1)) == 1 / 4  # three draws are left
    # four draws; the second's T are (-2, 1, .5, .5) ÷ 1.354: none is as large as 9, all are as large as 0
    np.testing.assert_array_equal(max_t(draws, np.array([0.0, 9.0]), np.ones(2)), [1, 1 / 5])


@pytest.mark.parametrize(
    ("draws", "difference", "se", "df"),
    [
        (np.ones(5), np.ones(5), np.ones(5), None),
        (np.ones((2, 1)), np.ones(2), np.ones(2), None),
        (np.ones((2, 5)), np.ones(3), np.ones(2), None),
        (np.ones((2, 5)), np.ones(2), np.ones(3), None),
        (np.ones((2, 5)), np.ones(2), np.ones(2), np.ones(1)),
    ],
)
def test_faults_of_max_t_are_told(draws, difference, se, df):
    with pytest.raises(BenchmarkError, match="max-T"):
        max_t(draws, difference, se, df)
