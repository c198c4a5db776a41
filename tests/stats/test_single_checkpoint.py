import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmark.errors import BenchmarkError
from benchmark.stats.single_checkpoint import delong, delong_interval, delong_test, mcnemar

LABEL = np.array([int(c) for c in "0001101000111000000011011000000111011101"])
A = np.array(
    [
        *(-0.1, 0.1, 0.1, -0.0, 1.3, 1.4, -0.3, 0.9, 0.1, -0.6, 3.2, 2.0, 0.0, 0.1, 0.6, -0.2, 0.7, -0.1, 0.7, 1.4),
        *(0.5, 1.4, -0.5, 1.3, 0.0, -0.6, -0.2, 0.9, 1.1, -1.3, -0.8, 1.8, -0.8, 0.7, -0.1, 2.5, 1.9, 0.9, -0.4, 0.9),
    ]
)
B = np.array(
    [
        *(1.5, -0.4, -0.2, 0.7, 1.0, 0.6, -1.0, 0.5, -0.4, 0.8, 2.9, 1.5, 1.0, -0.3, 1.4, -0.1, 1.0, -1.4, 0.8, -0.8),
        *(-1.4, 0.8, -1.2, 1.2, 2.5, -1.2, -0.7, 0.7, 1.2, -1.0, -0.7, 2.1, 0.3, -0.3, -0.1, 1.8, 0.4, 1.1, -1.1, 1.8),
    ]
)
"""17 positives, 23 negatives, many ties; made once, so that other libraries' answers below belong to it."""


def hits(both, ours, theirs, none):
    """Right answers of two models with these counts."""
    a = np.repeat([True, True, False, False], [both, ours, theirs, none])
    b = np.repeat([True, False, True, False], [both, ours, theirs, none])
    return a, b


@pytest.mark.parametrize(
    ("b", "c", "form", "p"),
    [
        # n = 8: 2 (1 + 8) / 256, and without one of the two tails' own 8 / 256
        (1, 7, "exact", 18 / 256),
        (1, 7, "mid_p", 10 / 256),
        (7, 1, "mid_p", 10 / 256),
        # Fagerland, Lydersen and Laake 2013 on the same table: chi-square 4.5, P = 0.034
        (1, 7, "chi2", 0.0338949),
        (2, 2, "exact", 1.0),
        (2, 2, "mid_p", 1 - 0.5 * 6 / 16),
        (0, 1, "mid_p", 0.5),
        (0, 6, "exact", 2 / 64),
    ],
)
def test_mcnemar_by_hand(b, c, form, p):
    got = mcnemar(*hits(12, b, c, 5), form)
    assert (got.ours_only, got.theirs_only) == (b, c)
    assert got.p == pytest.approx(p, abs=1e-6)


def test_mid_p_is_the_chance_of_less_likely_outcomes_and_half_of_equally_likely_ones():
    for n in range(1, 25):
        chance = np.array([math.comb(n, k) / 2**n for k in range(n + 1)])
        for b in range(n + 1):
            expected = chance[chance < chance[b] * (1 - 1e-9)].sum() + chance[np.isclose(chance, chance[b])].sum() / 2
            assert mcnemar(*hits(3, b, n - b, 0)).p == pytest.approx(expected)


def test_exact_form_agrees_with_scipys_binomial_test_and_mid_p_rejects_more_often():
    for b, c in [(3, 9), (0, 5), (20, 41), (6, 6)]:
        sides = hits(50, b, c, 4)
        exact = mcnemar(*sides, "exact").p
        assert exact == pytest.approx(stats.binomtest(b, b + c).pvalue)
        assert mcnemar(*sides).p < exact


def test_models_that_never_disagree_are_equal():
    same = np.array([True, False, True])
    assert [mcnemar(same, same, form).p for form in ("mid_p", "exact", "chi2")] == [1, 1, 1]


def test_areas_and_intervals_are_those_of_the_package_confidenceinterval():
    """Version 1.0.5, roc_auc_score(..., method="delong"); it works in single precision."""
    for score, area, low, high in [
        (A, 0.74040914, 0.5783091748535402, 0.9025090967834227),
        (B, 0.75447570, 0.5928750185815559, 0.9160764069708123),
    ]:
        got = delong_interval(score, LABEL)
        assert got.value == pytest.approx(area, abs=1e-7)
        assert (got.low, got.high) == (pytest.approx(low, abs=1e-7), pytest.approx(high, abs=1e-7))


def test_the_paired_test_is_that_of_the_package_mlstatkit():
    """Version 0.1.91, Delong_test: its z is that of the second minus the first; single precision."""
    got, p = delong_test(B, A, LABEL)
    assert got.value / got.se == pytest.approx(0.16083927902682144, abs=1e-6)
    assert p == pytest.approx(0.8722199877722338, abs=1e-6)
    assert got.se**2 == pytest.approx(0.007648700028721093, abs=1e-7)


def structural_components(scores, label):
    """DeLong's definition, pair by pair: psi = 1, 1/2, 0 for a positive above, equal, below a negative."""
    positive, negative = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    psi = np.empty((len(scores), len(positive), len(negative)))
    for r, score in enumerate(scores):
        for i, x in enumerate(positive):
            for j, y in enumerate(negative):
                psi[r, i, j] = 1.0 if score[x] > score[y] else 0.5 if score[x] == score[y] else 0.0
    area, m, n = psi.mean((1, 2)), len(positive), len(negative)
    of_positive, of_negative = psi.mean(2) - area[:, None], psi.mean(1) - area[:, None]
    s10, s01 = of_positive @ of_positive.T / (m - 1), of_negative @ of_negative.T / (n - 1)
    return area, s10 / m + s01 / n


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 9), st.integers(2, 12))
def test_midranks_give_what_pairs_give_with_and_without_ties(seed, m, n, values):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat([1, 0], [m, n]))
    scores = rng.integers(values, size=(3, m + n)).astype(float)
    area, covariance = delong(scores, label)
    expected, spread = structural_components(scores, label)
    np.testing.assert_allclose(area, expected, atol=1e-12)
    np.testing.assert_allclose(covariance, spread, atol=1e-12)
    np.testing.assert_allclose(area, [roc_auc_score(label, score) for score in scores], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_only_the_order_of_scores_and_no_order_of_images_counts(seed):
    order = np.random.default_rng(seed).permutation(len(LABEL))
    first, second = delong(np.stack([A, B]), LABEL), delong(np.stack([np.exp(A), 3 * B - 7])[:, order], LABEL[order])
    np.testing.assert_allclose(first[0], second[0])
    np.testing.assert_allclose(first[1], second[1])


def test_order_of_the_sides_turns_the_sign_only():
    (one, p), (other, q) = delong_test(A, B, LABEL), delong_test(B, A, LABEL)
    assert (one.low, one.high, p) == (pytest.approx(-other.high), pytest.approx(-other.low), pytest.approx(q))


def test_a_wider_level_gives_a_wider_interval_that_stays_in_range():
    got = [delong_interval(A, LABEL, level=level) for level in (0.5, 0.9, 0.999)]
    assert got[0].high - got[0].low < got[1].high - got[1].low
    assert got[2].high == 1


def test_false_alarms_and_coverage_are_nominal():
    """Two equally good models with shared noise; the true AUROC of N(1, 1) above N(0, 1) is Phi(1 / sqrt 2)."""
    rng, repeats = np.random.default_rng(4), 600
    truth, label = stats.norm.cdf(1 / math.sqrt(2)), np.repeat([1, 0], 60)
    alarms = inside = 0
    for _ in range(repeats):
        shared = rng.normal(size=120) * math.sqrt(0.7)
        ours, theirs = label + shared + rng.normal(size=(2, 120)) * math.sqrt(0.3)
        alarms += delong_test(ours, theirs, label)[1] < 0.05
        got = delong_interval(ours, label)
        inside += got.low <= truth <= got.high
    # Sampling error over 600 repeats is .009.
    assert alarms / repeats == pytest.approx(0.05, abs=0.03)
    assert inside / repeats == pytest.approx(0.95, abs=0.035)


def test_without_variance_there_are_no_bounds():
    perfect = delong_interval(np.array([3.0, 4, 1, 2]), np.array([1, 1, 0, 0]))
    assert perfect.value == 1
    assert math.isnan(perfect.low)
    assert "no variance" in perfect.reason
    same, p = delong_test(A, A, LABEL)
    assert same.value == 0
    assert math.isnan(same.high)
    assert math.isnan(p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mcnemar(np.array([1, 0]), np.array([1, 1])), "two boolean arrays"),
        (lambda: mcnemar(np.array([True]), np.array([True, False])), r"got 'bool \(1,\) and bool \(2,\)'"),
        (lambda: mcnemar(np.array([], bool), np.array([], bool)), "N >= 1"),
        (lambda: mcnemar(*hits(1, 1, 1, 1), form="midp"), "did you mean 'mid_p'"),
        (lambda: delong_interval(A[:5], LABEL), "scores and labels of an AUROC"),
        (lambda: delong_interval(np.where(A > 3, np.nan, A), LABEL), "not finite"),
        (lambda: delong_interval(A, LABEL + 1), "is for two classes"),
        (lambda: delong_interval(A, np.ones(40, int)), r"got \[0, 40\]; expected at least 2 of each"),
        (lambda: delong_interval(A[:4], np.array([0, 1, 0, 0])), r"got \[3, 1\]"),
        (lambda: delong_interval(A, LABEL, level=95), "between 0 and 1"),
        (lambda: delong_test(A, B[:-1], LABEL), "scores of two models"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call()
