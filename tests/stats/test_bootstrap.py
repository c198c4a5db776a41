import numpy as np
import pytest
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import accuracy, macro_f1
from benchmark.stats.bootstrap import resample_counts, resample_patterns

UNIT = np.array(["b", "a", "b", "c", "a", "d"])


def test_a_draw_holds_as_many_units_as_there_are_and_their_images_stay_together():
    counts = resample_counts(UNIT, 500, np.random.default_rng(0))
    assert counts.shape == (500, 6)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    np.testing.assert_array_equal(counts[:, 1], counts[:, 4])
    assert (counts[:, [0, 1, 3, 5]].sum(1) == 4).all()


def test_moments_are_multinomial():
    counts = resample_counts(np.arange(5).astype(str), 20_000, np.random.default_rng(1))
    # mean 1, variance n·(1/n)(1 - 1/n) = 0.8, covariance -1/n = -0.2
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.03)
    np.testing.assert_allclose(np.cov(counts.T), np.eye(5) - 0.2, atol=0.04)


def test_counts_are_whole_and_exact():
    counts = resample_counts(np.arange(3000).astype(str), 50, np.random.default_rng(6))
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts, counts.round())
    np.testing.assert_array_equal(counts.sum(1), 3000)
    assert len(np.unique(counts, axis=0)) == 50  # no draw is another's copy


@pytest.mark.parametrize("unit", [["a", "b", "c"], ["b", "a", "c", "b", "b", "a"]])
def test_counts_of_three_units_are_multinomial(unit):
    counts = resample_counts(np.array(unit), 27_000, np.random.default_rng(7))
    _, first = np.unique(unit, return_index=True)
    outcomes = [(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)]
    seen = [np.all(counts[:, first] == outcome, axis=1).sum() for outcome in outcomes]
    expected = 27_000 * stats.multinomial.pmf(outcomes, 3, [1 / 3] * 3)
    assert stats.chisquare(seen, expected).pvalue > 1e-3


def test_a_stratum_is_drawn_like_a_sample_of_its_own():
    unit = np.array(["e", "a", "d", "b", "c"])
    counts = resample_counts(unit, 40_000, np.random.default_rng(8), np.array(["y", "x", "y", "x", "y"]))
    # x holds a and b: binomial(2, 1/2) each; y holds the others: binomial(3, 1/3)
    for column, (units, names) in {1: (2, "ab"), 3: (2, "ab"), 0: (3, "cde"), 4: (3, "cde")}.items():
        assert unit[column] in names
        seen = np.bincount(counts[:, column].astype(int), minlength=units + 1)
        expected = 40_000 * stats.binom.pmf(np.arange(units + 1), units, 1 / units)
        assert stats.chisquare(seen, expected).pvalue > 1e-3
    assert abs(np.corrcoef(counts[:, 1], counts[:, 0])[0, 1]) < 0.02  # strata are independent


def test_strata_keep_their_number_of_units():
    unit = np.array(["a", "a", "b", "c", "d", "e"])
    strata = np.array([0, 0, 0, 1, 1, 1])
    counts = resample_counts(unit, 300, np.random.default_rng(2), strata)
    assert (counts[:, 1:3].sum(1) == 2).all()
    assert (counts[:, 3:].sum(1) == 3).all()
    assert counts[:, 2].std() > 0


def test_the_stream_decides_and_the_order_of_images_does_not():
    first = resample_counts(UNIT, 50, np.random.default_rng(3))
    np.testing.assert_array_equal(first, resample_counts(UNIT, 50, np.random.default_rng(3)))
    assert (first != resample_counts(UNIT, 50, np.random.default_rng(4))).any()
    order = np.array([5, 3, 1, 0, 4, 2])
    np.testing.assert_array_equal(first[:, order], resample_counts(UNIT[order], 50, np.random.default_rng(3)))


def test_standard_error_of_accuracy_agrees_with_scipy():
    rng = np.random.default_rng(5)
    label = rng.integers(0, 3, 150)
    score = rng.normal(size=(150, 3)) + np.eye(3)[label]
    correct = (score.argmax(1) == label).astype(float)
    theirs = stats.bootstrap((correct,), np.mean, n_resamples=4000, method="percentile", rng=rng)
    draws = accuracy(score, label, resample_counts(np.arange(150).astype(str), 4000, rng))
    # Relative error of a standard error of 4000 draws is 1.1 %; two of them and four sigma: 6.5 %.
    assert draws.std(ddof=1) == pytest.approx(theirs.standard_error, rel=0.065)
    assert stats.ks_2samp(draws, theirs.bootstrap_distribution).pvalue > 1e-3


def scores(images, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, images)
    return rng.normal(size=(images, 3)) + 1.5 * np.eye(3)[label], label


def test_macro_f1_of_patients_is_distributed_as_by_drawing_rows():
    (score, label), rng = scores(40, 9), np.random.default_rng(10)
    patient = np.sort(rng.integers(0, 40, 160))
    score, label = score[patient] + 0.3 * rng.normal(size=(160, 3)), label[patient]  # a patient's images err together
    patient = patient.astype(str)
    fast = macro_f1(score, label, resample_counts(patient, 3000, rng))
    images = [np.flatnonzero(patient == name) for name in np.unique(patient)]
    slow = []
    for _ in range(3000):
        rows = np.concatenate([images[i] for i in rng.integers(0, len(images), len(images))])
        slow.append(macro_f1(score[rows], label[rows]))
    assert stats.ks_2samp(fast, slow).pvalue > 1e-3
    # and the test would see it if patients were torn apart
    apart = macro_f1(score, label, resample_counts(np.arange(160).astype(str), 3000, rng))
    assert stats.ks_2samp(apart, slow).pvalue < 1e-3


def pattern_scores(images, seed):
    """Scores, labels, and the pair of label and prediction as one number."""
    score, label = scores(images, seed)
    return score, label, 3 * label + score.argmax(1)


def test_patterns_have_the_moments_of_the_multinomial():
    pattern = np.array([7, 7, 2, 7, 5, 2, 7, 7])
    counts = resample_patterns(pattern, 40_000, np.random.default_rng(11))
    assert counts.dtype == np.float32
    assert (counts.sum(1) == 8).all()
    share = np.array([2, 1, 5]) / 8  # of 2, 5 and 7
    np.testing.assert_allclose(counts.mean(0), 8 * share, atol=0.03)
    np.testing.assert_allclose(np.cov(counts.T), 8 * (np.diag(share) - np.outer(share, share)), atol=0.05)


def test_patterns_are_distributed_as_by_drawing_rows():
    pattern, rng = np.array([0, 1, 0, 2]), np.random.default_rng(12)
    outcomes = [(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]
    rows = resample_counts(np.arange(4).astype(str), 20_000, rng)
    by_rows = np.stack([rows[:, pattern == value].sum(1) for value in range(3)], 1)
    expected = 20_000 * stats.multinomial.pmf(outcomes, 4, [0.5, 0.25, 0.25])
    for counts in (resample_patterns(pattern, 20_000, rng), by_rows):
        seen = [np.all(counts == outcome, axis=1).sum() for outcome in outcomes]
        assert stats.chisquare(seen, expected).pvalue > 1e-3


def test_macro_f1_of_patterns_is_that_of_scipys_bootstrap():
    score, label, pattern = pattern_scores(120, 13)
    rng = np.random.default_rng(14)
    _, rows = np.unique(pattern, return_index=True)
    draws = macro_f1(score[rows], label[rows], resample_patterns(pattern, 4000, rng))
    theirs = stats.bootstrap(
        (np.arange(120),),
        lambda drawn: macro_f1(score[drawn], label[drawn]),
        n_resamples=4000,
        vectorized=False,
        method="percentile",
        rng=rng,
    )
    assert stats.ks_2samp(draws, theirs.bootstrap_distribution).pvalue > 1e-3
    by_images = macro_f1(score, label, resample_counts(np.arange(120).astype(str), 4000, rng))
    assert stats.ks_2samp(by_images, theirs.bootstrap_distribution).pvalue > 1e-3


def test_the_stream_decides_on_patterns():
    pattern = np.arange(40) % 7
    first = resample_patterns(pattern, 20, np.random.default_rng(15))
    np.testing.assert_array_equal(first, resample_patterns(pattern[::-1], 20, np.random.default_rng(15)))
    assert (first != resample_patterns(pattern, 20, np.random.default_rng(16))).any()


@pytest.mark.parametrize(
    ("pattern", "draws", "message"),
    [(np.array([3]), 10, "too few units; got 1"), (np.array([1, 2]), 0, "at least 1 draw"), (np.eye(3), 5, "pattern")],
)
def test_faults_of_patterns_are_told(pattern, draws, message):
    with pytest.raises(BenchmarkError, match=message):
        resample_patterns(pattern, draws, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("unit", "draws", "strata", "message"),
    [
        (np.array(["a", "a"]), 10, None, "too few units; got 1; expected at least 2"),
        (np.array([], str), 10, None, "too few units; got 0"),
        (np.array(["a", "b", "c"]), 10, np.array([0, 0, 1]), "in stratum 1; got 1"),
        (np.array(["a", "a", "b"]), 10, np.array([0, 1, 1]), "unit a lies in two strata"),
        (np.array(["a", "b"]), 0, None, "at least 1 draw"),
        (np.array(["a", "b"]), 5, np.array([0]), "strata"),
    ],
)
def test_faults_are_told(unit, draws, strata, message):
    with pytest.raises(BenchmarkError, match=message):
        resample_counts(unit, draws, np.random.default_rng(0), strata)
