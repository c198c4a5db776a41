import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import confusion_matrix, f1_score

from benchmark.errors import BenchmarkError
from benchmark.stats.bayes import confusion, hdi, joint_posterior, macro_f1_interval, macro_f1_of

TWO = np.array([[41, 9], [6, 24]])
THREE = np.array([[30, 4, 1], [2, 17, 5], [0, 3, 8]])


def images_of(table):
    """Labels and predictions with this confusion matrix."""
    label, prediction = np.divmod(np.repeat(np.arange(table.size), table.ravel()), len(table))
    return prediction, label


def interval(table, seed=0, draws=4000, **options):
    prediction, label = images_of(table)
    unit = np.arange(len(label)).astype(str)
    return macro_f1_interval(prediction, label, unit, len(table), draws, np.random.default_rng(seed), **options)


def test_sensitivity_of_two_classes_is_beta():
    joint = joint_posterior(TWO, 20_000, np.random.default_rng(1))
    recall = joint[:, 1, 1] / joint[:, 1].sum(-1)
    assert stats.kstest(recall, stats.beta(1 + 24, 1 + 6).cdf).pvalue > 1e-3
    prevalence = joint[:, 0].sum(-1)
    assert stats.kstest(prevalence, stats.beta(1 + 50, 1 + 30).cdf).pvalue > 1e-3


def test_accuracy_of_two_classes_is_beta_where_the_priors_belong_to_one_dirichlet():
    """b = K a makes all four shares one Dirichlet(a + c), so that their sums are beta."""
    joint = joint_posterior(TWO, 20_000, np.random.default_rng(2), answer_prior=0.5, prevalence_prior=1.0)
    np.testing.assert_allclose(joint.sum((1, 2)), 1)
    right = np.trace(joint, axis1=1, axis2=2)
    assert stats.kstest(right, stats.beta(1 + 41 + 24, 1 + 9 + 6).cdf).pvalue > 1e-3


def test_f1_of_one_class_is_that_of_goutte_and_gaussier():
    """There TP / (TP + FP + FN) = J is beta, and F1 = 2 J / (1 + J)."""
    joint = joint_posterior(TWO, 20_000, np.random.default_rng(3), 1.0, 2.0)
    hit, wrong = joint[:, 1, 1], joint[:, 0, 1] + joint[:, 1, 0]
    f1 = 2 * hit / (2 * hit + wrong)
    jaccard = stats.beta(1 + 24, 2 + 9 + 6)
    assert stats.kstest(f1, lambda f: jaccard.cdf(f / (2 - f))).pvalue > 1e-3
    mirrored = macro_f1_of(joint) * 2 - f1  # what is left is the F1 of the other class
    other = stats.beta(1 + 41, 2 + 9 + 6)
    assert stats.kstest(mirrored, lambda f: other.cdf(f / (2 - f))).pvalue > 1e-3


def test_three_classes_agree_with_numpys_dirichlet_drawn_one_by_one_and_scikit_learns_f1():
    rng, grid = np.random.default_rng(4), np.indices((3, 3)).reshape(2, -1)
    slow = []
    for _ in range(500):
        prevalence = rng.dirichlet(1 + THREE.sum(1))
        joint = prevalence[:, None] * np.stack([rng.dirichlet(1 + row) for row in THREE])
        slow.append(f1_score(grid[0], grid[1], average="macro", sample_weight=joint.ravel()))
    fast = macro_f1_of(joint_posterior(THREE, 6000, np.random.default_rng(5)))
    assert stats.ks_2samp(slow, fast).pvalue > 1e-3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_macro_f1_of_shares_is_scikit_learns(seed, classes):
    joint = np.random.default_rng(seed).random((classes, classes))
    label, prediction = np.indices((classes, classes)).reshape(2, -1)
    expected = f1_score(label, prediction, average="macro", sample_weight=joint.ravel())
    assert macro_f1_of(joint) == pytest.approx(expected)
    assert macro_f1_of(joint * 7) == pytest.approx(expected)


def test_confusion_is_scikit_learns_also_where_a_class_is_absent():
    rng = np.random.default_rng(6)
    label, prediction = rng.integers(4, size=(2, 200))
    label[label == 3] = 0
    np.testing.assert_array_equal(confusion(prediction, label, 5), confusion_matrix(label, prediction, labels=range(5)))


def test_with_many_images_the_posterior_closes_in_on_the_plain_macro_f1():
    prediction, label = images_of(THREE * 2000)
    expected = f1_score(label, prediction, average="macro")
    got = interval(THREE * 2000, draws=1000)
    assert got.value == pytest.approx(expected, abs=2e-3)
    assert got.high - got.low < 0.01
    assert got.low < expected < got.high


def test_four_times_the_images_halve_the_interval():
    few, many = interval(THREE * 20), interval(THREE * 80)
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(2, rel=0.12)


def test_the_prior_draws_few_images_towards_chance_and_hardly_moves_many():
    perfect = np.diag([3, 3, 3])
    assert interval(perfect, answer_prior=0.1).value > interval(perfect, answer_prior=1.0).value > 0.5
    weak, strong = (interval(THREE * 500, answer_prior=a, prevalence_prior=a).value for a in (0.1, 1.0))
    assert weak == pytest.approx(strong, abs=2e-3)


def test_hdi_of_known_densities():
    rng = np.random.default_rng(7)
    low, high = hdi(rng.exponential(size=200_000), 0.9)
    # The density falls from 0 on: the interval is [0, -log .1].
    assert low == pytest.approx(0, abs=1e-3)
    assert high == pytest.approx(math.log(10), rel=0.01)
    beta = stats.beta(30, 4)
    below = optimize.minimize_scalar(lambda p: beta.ppf(p + 0.95) - beta.ppf(p), bounds=(0, 0.05), method="bounded").x
    low, high = hdi(beta.rvs(400_000, random_state=rng), 0.95)
    assert (low, high) == (pytest.approx(beta.ppf(below), abs=0.005), pytest.approx(beta.ppf(below + 0.95), abs=0.005))


def test_hdi_by_hand_and_row_by_row():
    # 8 of 10 draws: the shortest window of 8 in 0 1 2 3 4 5 6 7 20 30 is 0 to 7.
    first, second = np.array([30.0, 7, 1, 0, 20, 3, 2, 6, 5, 4]), np.array([0.0, 10, 11, 12, 13, 14, 15, 16, 17, 40])
    low, high = hdi(np.stack([first, second]), 0.8)
    np.testing.assert_array_equal(low, [0, 10])
    np.testing.assert_array_equal(high, [7, 17])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(0.05, 0.99))
def test_hdi_holds_its_share_and_none_that_does_is_shorter(seed, count, level):
    draws = np.random.default_rng(seed).normal(size=count).round(1)
    low, high = hdi(draws, level)
    assert ((draws >= low) & (draws <= high)).mean() >= level - 1e-9
    for a in draws:
        for b in draws[draws >= a]:
            if ((draws >= a) & (draws <= b)).mean() >= level:
                assert b - a >= high - low


def test_streams_decide():
    assert interval(THREE, 1) == interval(THREE, 1)
    assert interval(THREE, 1) != interval(THREE, 2)


def test_clusters_are_refused_and_told_what_to_use():
    prediction, label = images_of(TWO)
    unit = np.arange(80).astype(str)
    unit[3] = "1"
    with pytest.raises(BenchmarkError, match=r"unit 1 .*got '2 images'; expected one image a unit.*variance_sum"):
        macro_f1_interval(prediction, label, unit, 2, 100, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: confusion(np.array([0, 2]), np.array([0, 1]), 2), "prediction is out of range"),
        (lambda rng: confusion(np.array([0, 1]), np.array([0, -1]), 2), "label is out of range"),
        (lambda rng: confusion(np.array([0.0, 1]), np.array([0, 1]), 2), "prediction is out of range"),
        (lambda rng: confusion(np.array([], int), np.array([], int), 2), "N >= 1"),
        (lambda rng: joint_posterior(TWO[:1], 10, rng), r"\[K, K\]"),
        (lambda rng: joint_posterior(-TWO, 10, rng), "counts >= 0"),
        (lambda rng: joint_posterior(TWO, 1, rng), "at least 2 draws"),
        (lambda rng: joint_posterior(TWO, 10, rng, answer_prior=0.0), "priors > 0"),
        (lambda rng: joint_posterior(TWO, 10, rng, prevalence_prior=-1.0), "priors > 0"),
        (lambda rng: hdi(np.array([0.1, np.nan, 0.2])), "finite"),
        (lambda rng: hdi(np.array([0.1])), "B >= 2"),
        (lambda rng: hdi(np.array([0.1, 0.2]), 95), "between 0 and 1"),
        (
            lambda rng: macro_f1_interval(*images_of(TWO), np.arange(79).astype(str), 2, 10, rng),
            "units and labels",
        ),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call(np.random.default_rng(0))
