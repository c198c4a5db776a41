from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import accuracy
from benchmark.metrics.groups import (
    ADJUSTED_AVERAGE,
    PLAIN_AVERAGE,
    WORST_GROUP_ACCURACY,
    WORST_GROUP_PLUG_IN,
    adjusted_average,
    chosen_group,
    group_accuracy,
    group_images,
    group_of,
    plain_average,
    small_groups,
    worst_group_accuracy,
    worst_group_plug_in,
)


def sample(seed, n=60, classes=3):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    group = group_of(label, rng.random(n) < 0.4)
    return rng.normal(size=(n, classes)) + np.eye(classes)[label], label, group, rng.integers(0, 4, (5, n))


def test_a_group_is_a_class_with_its_own_mark_or_anothers():
    label, conflicting = np.array([0, 0, 1, 2]), np.array([False, True, False, True])
    assert group_of(label, conflicting).tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_group_accuracy_against_scikit_learn(dtype):
    score, label, group, weight = sample(0)
    got = group_accuracy(score, label, group, 6, weight.astype(dtype))
    assert got.shape == (5, 6)
    for g in range(6):
        rows = group == g
        expected = [accuracy_score(label[rows], score[rows].argmax(1), sample_weight=row[rows]) for row in weight]
        np.testing.assert_allclose(got[:, g], expected, rtol=0, atol=1e-14)


def test_a_group_without_images_is_not_defined():
    score, label = np.array([[1.0, 0], [0, 1.0], [1.0, 0]]), np.array([0, 1, 1])
    got = group_accuracy(score, label, np.array([0, 2, 2]), 4)
    np.testing.assert_array_equal(got, [1, np.nan, 0.5, np.nan])
    got = group_accuracy(score, label, np.array([0, 2, 2]), 4, np.array([[0, 1, 1], [0, 0, 0]]))
    np.testing.assert_array_equal(got, [[np.nan, np.nan, 0.5, np.nan], [np.nan] * 4])
    np.testing.assert_array_equal(group_images(np.array([0, 2, 2]), 4, np.array([5, 1, 1])), [5, 0, 2, 0])


def test_the_chosen_group_is_the_worst_on_validation_and_of_equals_the_first():
    group = np.array([0, 0, 1, 1, 2, 2])
    assert chosen_group(np.array([1, 1, 0, 1, 0, 0]), group, 3) == 2
    assert chosen_group(np.array([1, 1, 0, 1, 1, 0]), group, 3) == 1
    assert chosen_group(np.ones(6, bool), group, 3) == 0
    # a group without images (3, and 0 here) is never chosen
    assert chosen_group(np.ones(6), group + 1, 5) == 1
    # shares of the seeds that hit an image
    assert chosen_group(np.array([0.5, 1, 0.7, 0.7, 1, 1]), group, 3) == 1


def test_small_groups_are_named():
    group = np.repeat([0, 1, 3], [10, 9, 30])
    assert small_groups(group, 5) == [1, 2, 4]
    assert small_groups(group, 5, fewest=11) == [0, 1, 2, 4]
    assert small_groups(group, 5, fewest=0) == []


def test_the_minimum_on_the_test_is_biased_and_the_chosen_group_is_not():
    """Two groups of two images, each hit with probability 1/2, so both have an expected accuracy of 1/2.

    A group's accuracy is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4. The lower of two is at least 1/2 with probability
    9/16 and 1 with 1/16: its mean is (9/16 + 1/16) / 2 = 5/16, so it is biased by 3/16 downwards.
    """
    group, label = np.array([0, 0, 1, 1]), np.zeros(4, int)
    plug_in, honest = [], []
    for hits in product([0, 1], repeat=4):
        test = group_accuracy(np.eye(2)[1 - np.array(hits)], label, group, 2)
        plug_in.append(worst_group_plug_in(test))
        honest += [
            worst_group_accuracy(test, chosen_group(np.array(seen), group, 2)) for seen in product([0, 1], repeat=4)
        ]
    assert np.mean(plug_in) == 5 / 16
    assert np.mean(honest) == 1 / 2


def test_worst_group_by_hand():
    accuracies = np.array([[0.9, 0.2, np.nan], [0.5, 0.6, 0.1], [np.nan] * 3])
    np.testing.assert_array_equal(worst_group_accuracy(accuracies, 0), [0.9, 0.5, np.nan])
    np.testing.assert_array_equal(worst_group_accuracy(accuracies, 2), [np.nan, 0.1, np.nan])
    np.testing.assert_array_equal(worst_group_plug_in(accuracies), [0.2, 0.1, np.nan])
    assert worst_group_plug_in(accuracies[1]) == 0.1


def test_averages_by_hand():
    accuracies = np.array([0.9, 0.5])
    assert plain_average(accuracies, np.array([10, 30])) == pytest.approx((9 + 15) / 40)
    # training had 95 % of the first group: the average hides the second
    assert adjusted_average(accuracies, np.array([0.95, 0.05])) == pytest.approx(0.95 * 0.9 + 0.05 * 0.5)
    assert adjusted_average(accuracies, np.array([950, 50])) == pytest.approx(0.95 * 0.9 + 0.05 * 0.5)
    many = np.array([[0.9, 0.5], [0.1, 1.0]])
    np.testing.assert_allclose(adjusted_average(many, np.array([3, 1])), [0.8, 0.325])
    np.testing.assert_allclose(plain_average(many, np.array([[3, 1], [1, 1]])), [0.8, 0.55])


def test_an_average_without_a_part_of_it_is_not_defined():
    accuracies = np.array([0.9, np.nan])
    assert plain_average(accuracies, np.array([10, 0])) == pytest.approx(0.9)
    assert np.isnan(adjusted_average(accuracies, np.array([0.5, 0.5])))
    assert adjusted_average(accuracies, np.array([1, 0])) == pytest.approx(0.9)
    assert np.isnan(plain_average(accuracies, np.array([0, 0])))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40))
def test_properties(seed, n):
    score, label, group, weight = sample(seed, n)
    rng = np.random.default_rng(seed)
    got, images = group_accuracy(score, label, group, 6, weight), group_images(group, 6, weight)
    # the plain average is the accuracy over all images
    np.testing.assert_allclose(plain_average(got, images), accuracy(score, label, weight), rtol=0, atol=1e-14)
    # a weight is a repeated image
    again = np.repeat(np.arange(n), weight[0])
    if len(again):
        np.testing.assert_array_equal(group_accuracy(score[again], label[again], group[again], 6), got[0])
    # the order of the images does not matter
    rows = rng.permutation(n)
    moved = group_accuracy(score[rows], label[rows], group[rows], 6, weight[:, rows])
    np.testing.assert_array_equal(moved, got)
    hit = score.argmax(1) == label
    assert chosen_group(hit[rows], group[rows], 6) == chosen_group(hit, group, 6)
    # the minimum is no higher than any group or average
    lowest = worst_group_plug_in(got)
    for other in (plain_average(got, images), *(worst_group_accuracy(got, g) for g in range(6))):
        assert (np.isnan(other) | (lowest <= other + 1e-14)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_accuracy(np.zeros((2, 2)), np.zeros(2, int), np.array([0, 2]), 2), "groups of images"),
        (lambda: group_accuracy(np.zeros((2, 2)), np.zeros(2, int), np.array([0, -1]), 2), "groups of images"),
        (lambda: group_accuracy(np.zeros((2, 2)), np.zeros(2, int), np.array([0.0, 1]), 2), "groups of images"),
        (lambda: group_accuracy(np.zeros((2, 2)), np.zeros(2, int), np.array([0]), 2), "groups of images"),
        (lambda: group_accuracy(np.full((2, 2), np.nan), np.zeros(2, int), np.array([0, 1]), 2), "2 of 2 images"),
        (lambda: group_images(np.array([0, 1]), 2, np.array([1, -1])), "weights"),
        (lambda: group_images(np.array([0, 1]), 2, np.ones(3)), "weights"),
        (lambda: chosen_group(np.array([]), np.array([], int), 2), "hits on validation"),
        (lambda: chosen_group(np.array([1, np.nan]), np.array([0, 1]), 2), "hits on validation"),
        (lambda: chosen_group(np.array([1, 2]), np.array([0, 1]), 2), "hits on validation"),
        (lambda: chosen_group(np.array([1, 0]), np.array([0, 1, 1]), 2), "groups of images"),
        (lambda: worst_group_accuracy(np.array([0.5, 0.5]), 2), "chosen group"),
        (lambda: worst_group_accuracy(np.array([0.5, 0.5]), -1), "chosen group"),
        (lambda: worst_group_plug_in(np.array([0.5, 1.5])), "accuracies of groups"),
        (lambda: worst_group_plug_in(np.array(0.5)), "accuracies of groups"),
        (lambda: plain_average(np.array([0.5, 0.5]), np.ones(3)), "images of the groups"),
        (lambda: adjusted_average(np.array([0.5, 0.5]), np.array([1, -1])), "training shares"),
        (lambda: adjusted_average(np.array([0.5, 0.5]), np.array([1, np.nan])), "training shares"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call()


def test_each_metric_has_its_own_name():
    metrics = (WORST_GROUP_ACCURACY, WORST_GROUP_PLUG_IN, PLAIN_AVERAGE, ADJUSTED_AVERAGE)
    functions = (worst_group_accuracy, worst_group_plug_in, plain_average, adjusted_average)
    for metric, function in zip(metrics, functions, strict=True):
        assert (metric.name, metric.function, metric.family) == (function.__name__, function, "generalization")
        assert (metric.higher_is_better, metric.low, metric.high) == (True, 0, 1)
