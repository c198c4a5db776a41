import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import (
    ACCURACY,
    BALANCED_ACCURACY,
    MACRO_F1,
    accuracy,
    balanced_accuracy,
    gap,
    macro_f1,
    weighted_sums,
)
from benchmark.metrics.named import metric_named
from benchmark.registry import METRICS
from benchmark.stats.bootstrap import resample_counts

ALL = [accuracy, balanced_accuracy, macro_f1]


def sklearn_f1(score, label, weight):
    kept = weight > 0
    return f1_score(label[kept], score[kept].argmax(1), sample_weight=weight[kept], average="macro", zero_division=0)


def sklearn_balanced(score, label, weight):
    """Recall of the classes that have images: a class without any has no recall."""
    there = [k for k in range(score.shape[1]) if weight[label == k].sum() > 0]
    return recall_score(label, score.argmax(1), sample_weight=weight, labels=there, average="macro")


def sklearn_accuracy(score, label, weight):
    return accuracy_score(label, score.argmax(1), sample_weight=weight)


REFERENCES = {accuracy: sklearn_accuracy, balanced_accuracy: sklearn_balanced, macro_f1: sklearn_f1}


def sample(seed, n=60, classes=4, missing=None):
    rng = np.random.default_rng(seed)
    label = rng.choice([k for k in range(classes) if k != missing], n)
    score = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[label]
    return score, label, rng.integers(0, 4, (7, n)).astype(float)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("missing", [None, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
def test_against_scikit_learn(metric, missing, dtype):
    for seed in range(3):
        score, label, weight = sample(seed, missing=missing)
        expected = [REFERENCES[metric](score, label, row) for row in weight]
        got = metric(score, label, weight.astype(dtype))
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
        once = REFERENCES[metric](score, label, np.ones(len(label)))
        assert metric(score, label) == pytest.approx(once, abs=1e-14)


@pytest.mark.parametrize("metric", ALL)
def test_weights_need_not_be_counts(metric):
    score, label, _ = sample(4)
    weight = np.random.default_rng(0).dirichlet(np.ones(len(label)), 5)
    expected = [REFERENCES[metric](score, label, row) for row in weight]
    np.testing.assert_allclose(metric(score, label, weight), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(metric(score, label, weight.astype(np.float32)), expected, rtol=0, atol=1e-6)


def test_hand_values():
    #                 hit           hit           0 for 1       2 for 1       hit
    score = np.array([[2.0, 1, 0], [0, 3.0, 0], [2.0, 1, 1], [0, 1, 2.0], [0, 0, 1.0]])
    label = np.array([0, 1, 1, 1, 2])
    assert accuracy(score, label) == pytest.approx(3 / 5)
    assert balanced_accuracy(score, label) == pytest.approx((1 + 1 / 3 + 1) / 3)
    # F1: class 0: 2·1/(1+2), class 1: 2·1/(3+1), class 2: 2·1/(1+2)
    assert macro_f1(score, label) == pytest.approx((2 / 3 + 1 / 2 + 2 / 3) / 3)
    some = np.array([1, 0, 2, 0, 1])
    assert accuracy(score, label, some) == pytest.approx(2 / 4)
    assert balanced_accuracy(score, label, some) == pytest.approx(2 / 3)
    # class 1 keeps its 2 labels under these weights and is never predicted: 0
    assert macro_f1(score, label, some) == pytest.approx((2 / 4 + 0 + 1) / 3)
    # without labels or predictions of class 1 it is left out
    assert macro_f1(score, label, np.array([1, 0, 0, 0, 1])) == 1
    assert balanced_accuracy(score, label, np.array([1, 0, 0, 0, 1])) == 1


def test_of_one_class_only_its_own_hits_count():
    score, label = np.array([[1.0, 0], [0, 1.0], [0, 1.0], [0, 1.0]]), np.zeros(4, int)
    assert accuracy(score, label) == balanced_accuracy(score, label) == 1 / 4
    # class 0: 2·1/(4+1); class 1 is predicted without labels: 0
    assert macro_f1(score, label) == pytest.approx((2 / 5 + 0) / 2)


def test_of_equal_scores_the_first_wins():
    score = np.array([[1.0, 1, 1], [0, 2, 2]])
    assert accuracy(score, np.array([0, 1])) == 1
    assert accuracy(score, np.array([1, 2])) == 0


def test_a_constant_classifier_is_at_chance():
    score, label = np.tile([1.0, 2.0, 3.0], (7, 1)), np.array([0, 1, 2, 2, 1, 0, 2])
    assert accuracy(score, label) == pytest.approx(3 / 7)
    assert balanced_accuracy(score, label) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", ALL)
def test_shapes(metric):
    score, label, weight = sample(3)
    assert np.shape(metric(score, label)) == ()
    assert np.shape(metric(score, label, weight[0])) == ()
    assert metric(score, label, weight[:0]).shape == (0,)
    many = metric(score, label, np.concatenate([weight] * 80).reshape(2, 280, -1))
    assert many.shape == (2, 280)
    np.testing.assert_array_equal(many.reshape(80, 7), np.tile(metric(score, label, weight), (80, 1)))
    np.testing.assert_array_equal(metric(score, label, np.asfortranarray(weight)), metric(score, label, weight))


@pytest.mark.parametrize("metric", ALL)
def test_no_weight_at_all_is_nan(metric):
    score, label, weight = sample(3)
    got = metric(score, label, np.stack([weight[0], 0 * weight[0]]))
    assert np.isfinite(got[0])
    assert np.isnan(got[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6), n=st.integers(2, 30))
def test_properties(seed, classes, n):
    rng = np.random.default_rng(seed)
    score, label = rng.normal(size=(n, classes)), rng.integers(0, classes, n)
    weight = rng.integers(0, 3, (3, n))
    turn, rows = rng.permutation(classes), rng.permutation(n)
    for metric in ALL:
        got = metric(score, label, weight)
        assert ((got >= 0) & (got <= 1) | np.isnan(got)).all()
        # a weight is a repeated image
        for value, counts in zip(got, weight, strict=True):
            again = np.repeat(np.arange(n), counts)
            if len(again):
                assert metric(score[again], label[again]) == pytest.approx(value, abs=1e-14)
        # neither the order of the images nor the names of the classes matter, nor a scale of the weights
        moved = metric(score[rows][:, turn], np.argsort(turn)[label[rows]], 3 * weight[:, rows])
        np.testing.assert_allclose(moved, got, atol=1e-12)
        # only the order of an image's scores matters
        np.testing.assert_array_equal(metric(np.exp(3 * score) - 7, label, weight), got)


def test_counts_that_float32_cannot_hold_are_summed_exactly():
    # 2^24 + 1 is the first whole number that float32 lacks.
    weight = np.array([[2**24, 1, 1, 1], [1, 1, 1, 1]], np.float32)
    column = np.array([[1, 0], [1, 1], [0, 1], [1, 1]], np.int8)
    np.testing.assert_array_equal(weighted_sums(weight, column), [[2**24 + 2, 3], [3, 3]])
    score, label = np.array([[1.0, 0], [1.0, 0], [1.0, 0], [0, 1.0]]), np.array([0, 0, 0, 0])
    assert accuracy(score, label, weight[0]) == (2**24 + 2) / (2**24 + 3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), draws=st.sampled_from([1, 255, 257, 700]))
def test_sums_of_counts_are_those_of_whole_numbers(seed, draws):
    rng = np.random.default_rng(seed)
    weight, column = rng.integers(0, 200, (draws, 40)), rng.integers(0, 3, (40, 5))
    np.testing.assert_array_equal(weighted_sums(weight.astype(np.float32), column), weight @ column)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("score", "label", "weight", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), None, "K >= 2"),
        (np.zeros((3, 2)), np.zeros(2, int), None, "shapes"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "N >= 1"),
        (np.full((3, 2), np.nan), np.zeros(3, int), None, "not finite"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), None, "class indices below K"),
        (np.zeros((3, 2)), np.array([0, 1, -1]), None, "class indices below K"),
        (np.zeros((3, 2)), np.array([0.0, 1, 1]), None, "class indices below K"),
        (np.zeros((3, 2)), np.zeros(3, int), np.ones((2, 2)), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array(["1", "1", "1"]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, -1, 1]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, np.nan, 1], np.float32), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, np.inf, 1]), "weights"),
    ],
)
def test_faults_are_told(metric, score, label, weight, message):
    with pytest.raises(BenchmarkError, match=message):
        metric(score, label, weight)


@pytest.mark.parametrize("metric", ALL)
def test_images_without_a_finite_score_are_counted(metric):
    score = np.zeros((1000, 3))
    score[[7, 8, 500], [0, 1, 2]] = np.nan, np.inf, -np.inf
    with pytest.raises(BenchmarkError, match="3 of 1000 images, the first in row 7"):
        metric(score, np.zeros(1000, int))


def test_a_fault_in_one_late_draw_is_found():
    weight = np.ones((600, 3), np.float32)
    weight[599, 2] = -1
    with pytest.raises(BenchmarkError, match="weights"):
        accuracy(np.zeros((3, 2)), np.zeros(3, int), weight)


def test_gap():
    drop = gap(ACCURACY)
    assert (drop.name, drop.low, drop.high, drop.higher_is_better) == ("accuracy_gap", -1, 1, False)
    np.testing.assert_allclose(drop.function(np.array([0.9, 0.5]), np.array([0.2, 0.6])), [0.7, -0.1])
    brm = METRICS.get("background_relevance_mass")
    # Less is better: moving from 0.2 to 0.7 takes 0.5 away.
    assert gap(brm).function(0.2, 0.7) == pytest.approx(0.5)


def test_registered_under_their_names():
    for metric in (ACCURACY, MACRO_F1):
        assert METRICS.get(metric.name) is metric
    assert (BALANCED_ACCURACY.name, BALANCED_ACCURACY.function) == ("balanced_accuracy", balanced_accuracy)


@pytest.mark.parametrize(
    ("name", "family", "high"),
    [
        ("macro_auroc", "generalization", 1),
        ("macro_f1_gap", "generalization", 1),
        ("background_relevance_mass", "attribution", 1),
        ("background_relevance_mass_lrp", "attribution", 1),
        ("heatmap_loss", "guard", np.inf),
    ],
)
def test_metric_named(name, family, high):
    metric = metric_named(name)
    assert (metric.name, metric.family, metric.high) == (name, family, high)


@pytest.mark.parametrize("name", ["acuracy", "background_relevance_massive", "accuracy_lrp", "heatmap_loss_gap"])
def test_metric_named_refuses(name):
    with pytest.raises(BenchmarkError, match="unknown metric"):
        metric_named(name)


@pytest.mark.slow
def test_ten_thousand_draws_of_twenty_cells_and_four_variants_take_seconds():
    rng = np.random.default_rng(0)
    images = np.arange(2000).astype(str)
    started, drawing = time.process_time(), 0.0
    for _ in range(4):
        begun = time.process_time()
        weight = resample_counts(images, 10_000, rng)
        drawing += time.process_time() - begun
        for _ in range(20):
            label = rng.integers(0, 10, 2000)
            score = rng.normal(size=(2000, 10)) + 1.5 * np.eye(10)[label]
            for metric in (accuracy, macro_f1):
                values = metric(score, label, weight)
                # the bootstrap's spread is that of a mean of 2,000 images
                assert 0.8 < values.std() / np.sqrt(values.mean() * (1 - values.mean()) / 2000) < 1.2
    spent = time.process_time() - started
    print(f"80 x (accuracy + macro F1) x 10,000 draws: {spent:.1f} s of one core, of which {drawing:.1f} s draw")
    assert spent < 10  # of this process: what others do beside it does not count
