import numpy as np
import pytest
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import accuracy
from benchmark.stats.bootstrap import resample_counts

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
