import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark.errors import BenchmarkError
from benchmark.metrics.ranking import (
    MACRO_AUPRC,
    MACRO_AUROC,
    MACRO_AUROC_HAND_TILL,
    macro_auprc,
    macro_auroc,
    macro_auroc_hand_till,
    ranking_table,
)
from benchmark.registry import METRICS

ALL = [macro_auroc, macro_auroc_hand_till, macro_auprc]


def one_against_rest(binary, score, label, weight):
    """Mean over the classes that have positives and negatives; scikit-learn weighs only two classes."""
    p = softmax(np.asarray(score, float), axis=1)
    areas = [
        binary(label == k, p[:, k], sample_weight=weight)
        for k in range(score.shape[1])
        if 0 < weight[label == k].sum() < weight.sum()
    ]
    return np.mean(areas) if areas else np.nan


def sklearn_auroc(score, label, weight):
    return one_against_rest(roc_auc_score, score, label, weight)


def sklearn_auprc(score, label, weight):
    return one_against_rest(average_precision_score, score, label, weight)


def sklearn_hand_till(score, label, weight):
    p, there = softmax(score, axis=1), [k for k in range(score.shape[1]) if weight[label == k].sum() > 0]
    areas = []
    for k in there:
        for j in there:
            if (two := (label == k) | (label == j)).any() and k != j:
                areas.append(roc_auc_score(label[two] == k, p[two, k], sample_weight=weight[two]))
    return np.mean(areas) if areas else np.nan


REFERENCES = {macro_auroc: sklearn_auroc, macro_auroc_hand_till: sklearn_hand_till, macro_auprc: sklearn_auprc}


def sample(seed, n=60, classes=4, missing=None, coarse=False):
    rng = np.random.default_rng(seed)
    label = rng.choice([k for k in range(classes) if k != missing], n)
    score = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[label]
    # Few distinct rows repeat whole rows, so that equal scores are equal for everybody.
    return (score[rng.integers(0, 5, n)] if coarse else score), label, rng.integers(0, 4, (4, n)).astype(float)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("missing", [None, 2])
def test_against_scikit_learn(metric, missing, coarse):
    for seed in range(2):
        score, label, weight = sample(seed, missing=missing, coarse=coarse)
        expected = [REFERENCES[metric](score, label, row) for row in weight]
        np.testing.assert_allclose(metric(score, label, weight), expected, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(metric(score, label, weight.astype(np.float32)), metric(score, label, weight))
        once = REFERENCES[metric](score, label, np.ones(len(label)))
        assert metric(score, label) == pytest.approx(once, abs=1e-13)
        # and weights that are no counts
        weight = np.random.default_rng(seed).dirichlet(np.ones(len(label)), 3)
        expected = [REFERENCES[metric](score, label, row) for row in weight]
        np.testing.assert_allclose(metric(score, label, weight), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("coarse", [False, True])
def test_against_the_many_class_forms_of_scikit_learn(coarse):
    score, label, weight = sample(9, n=200, coarse=coarse)
    p = softmax(score, axis=1)
    assert macro_auroc(score, label) == pytest.approx(roc_auc_score(label, p, multi_class="ovr", average="macro"))
    for counts, got in zip(weight, macro_auroc_hand_till(score, label, weight), strict=True):
        rows = np.repeat(np.arange(len(label)), counts.astype(int))
        assert got == pytest.approx(roc_auc_score(label[rows], p[rows], multi_class="ovo", average="macro"), abs=1e-13)
    assert macro_auprc(score, label) == pytest.approx(average_precision_score(label, p, average="macro"))


def two_classes(p):
    return np.stack([1 - np.array(p), np.array(p)], 1)


def test_auroc_hand_values():
    score, label = two_classes([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0])
    for metric in (macro_auroc, macro_auroc_hand_till):
        # pairs: .9 beats both, .4 ties with one and beats one: 3.5 of 4
        assert metric(score, label) == pytest.approx(3.5 / 4)
        # weights 1, 2 on the positives: (1·2 + 2·1.5) / (3·2)
        assert metric(score, label, np.array([1, 2, 1, 1])) == pytest.approx(5 / 6)


def test_hand_till_by_hand_differs_from_one_against_rest():
    # rows: classes 0, 0, 1, 2
    score, label = (
        np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.3, 0.5, 0.2], [0.1, 0.2, 0.7]]),
        np.array([0, 0, 1, 2]),
    )
    # A(0|1): .6 > .3, .2 < .3: 1/2; A(1|0): .5 > .3, .3: 1. A(0|2) = 1, A(2|0) = 1. A(1|2) = 1, A(2|1) = 1.
    assert macro_auroc_hand_till(score, label) == pytest.approx((0.75 + 1 + 1) / 3)
    # class 0: of .6, .2 against .3, .1: 3/4; class 1 and 2: 1
    assert macro_auroc(score, label) == pytest.approx((3 / 4 + 1 + 1) / 3)
    # an image of class 1 ten times: the pairs (0, 1) and (1, 2) do not care, the rest of class 0 does
    often = np.array([1, 1, 10, 1])
    assert macro_auroc_hand_till(score, label, often) == pytest.approx((0.75 + 1 + 1) / 3)
    assert macro_auroc(score, label, often) == pytest.approx(((11 + 1) / 22 + 1 + 1) / 3)


def test_auprc_hand_values():
    score, label = two_classes([0.9, 0.8, 0.4, 0.3]), np.array([1, 0, 1, 0])
    # class 1, falling: hit, miss, hit: (1 + 2/3) / 2; class 0 from the other end: hit, miss, hit: the same
    assert macro_auprc(score, label) == pytest.approx((1 + 2 / 3) / 2)
    # Two positives and a negative that tie pass their threshold together, whatever their order in the table.
    for label in ([1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]):
        # class 1: both at 2/3; class 0: .5 first with 1/1, then the tied one with 2/4
        got = macro_auprc(two_classes([0.75, 0.75, 0.75, 0.5]), np.array(label))
        assert got == pytest.approx((2 / 3 + (1 + 2 / 4) / 2) / 2)


def test_a_perfect_order_is_one_and_its_reverse_zero():
    label = np.array([0, 0, 0, 1, 1])
    score = two_classes([0.1, 0.2, 0.3, 0.8, 0.9])
    for metric in ALL:
        assert metric(score, label) == 1
    assert macro_auroc(1 - score, label) == macro_auroc_hand_till(1 - score, label) == 0


@pytest.mark.parametrize("metric", ALL)
def test_one_class_alone_has_no_order(metric):
    score, label = two_classes([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0])
    assert np.isnan(metric(score, np.ones(4, int)))
    assert np.isnan(metric(score, label, np.array([1, 1, 0, 0])))
    assert np.isnan(metric(score, label, np.zeros(4)))
    both = metric(score, label, np.array([[1, 1, 0, 0], [1, 1, 1, 1]]))
    assert np.isnan(both).tolist() == [True, False]


@pytest.mark.parametrize("metric", ALL)
def test_a_class_without_images_changes_nothing_but_its_part_of_the_probability(metric):
    score, label = two_classes([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0])
    wider = np.hstack([score / 2, np.full((4, 1), 0.5)])
    assert metric(wider, label) == pytest.approx(metric(score, label))


def test_images_are_ordered_by_probability_not_by_logit():
    # The raw logit of class 1 would rank the negative first.
    score, label = np.array([[5.0, 4.0], [-3.0, 0.0]]), np.array([0, 1])
    for metric in ALL:
        assert metric(score, label) == 1
        assert metric(score + np.array([[100.0], [-100.0]]), label) == 1


@pytest.mark.parametrize("metric", ALL)
def test_logits_and_their_softmax_agree(metric):
    score, label, weight = sample(5, classes=3)
    np.testing.assert_allclose(
        metric(softmax(score, axis=1), label, weight), metric(score, label, weight), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("metric", ALL)
def test_saturated_probabilities_keep_their_order(metric):
    # All four probabilities of class 1 round to 1.0; their order is perfect nevertheless.
    score = np.array([[0.0, 50], [0.0, 60], [0.0, 70], [0.0, 80]])
    assert (softmax(score, axis=1)[:, 1] == 1).all()
    assert metric(score, np.array([0, 0, 1, 1])) == 1


def test_a_constant_classifier_is_at_chance():
    score, label = np.tile([1.0, 2.0, 3.0], (7, 1)), np.array([0, 1, 2, 2, 1, 0, 2])
    assert macro_auroc(score, label) == macro_auroc_hand_till(score, label) == 0.5
    # all pass the one threshold together: the precision is each class's share
    assert macro_auprc(score, label) == pytest.approx((2 / 7 + 2 / 7 + 3 / 7) / 3)


@pytest.mark.parametrize("metric", ALL)
def test_shapes(metric):
    score, label, weight = sample(3)
    assert np.shape(metric(score, label)) == ()
    assert np.shape(metric(score, label, weight[0])) == ()
    assert metric(score, label, weight[:0]).shape == (0,)
    # more draws than one block holds
    many = metric(score, label, np.concatenate([weight] * 400).reshape(2, 800, -1))
    assert many.shape == (2, 800)
    np.testing.assert_allclose(many.reshape(400, 4), np.tile(metric(score, label, weight), (400, 1)), atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6), n=st.integers(2, 30), tied=st.booleans())
def test_properties(seed, classes, n, tied):
    rng = np.random.default_rng(seed)
    score, label = rng.normal(size=(n, classes)), rng.integers(0, classes, n)
    score = score[rng.integers(0, min(4, n), n)] if tied else score
    weight = rng.integers(0, 3, (3, n))
    turn, rows = rng.permutation(classes), rng.permutation(n)
    for metric in ALL:
        got = metric(score, label, weight)
        assert ((got >= 0) & (got <= 1) | np.isnan(got)).all()
        # a weight is a repeated image
        for value, counts in zip(got, weight, strict=True):
            again = np.repeat(np.arange(n), counts)
            if len(again):
                assert metric(score[again], label[again]) == pytest.approx(value, abs=1e-13, nan_ok=True)
        # neither the order of the images nor a scale of the weights matters
        np.testing.assert_allclose(metric(score[rows], label[rows], 3 * weight[:, rows]), got, rtol=0, atol=1e-13)
        if not tied:  # nor class names, nor what is added to all logits of an image; rounding may break ties
            moved = metric(score[:, turn], np.argsort(turn)[label], weight)
            np.testing.assert_allclose(moved, got, rtol=0, atol=1e-13)
            lifted = metric(score + rng.normal(size=(n, 1)), label, weight)
            np.testing.assert_allclose(lifted, got, rtol=0, atol=1e-13)
        assert ranking_table(score, label, weight)[metric.__name__].tolist() == pytest.approx(got.tolist(), nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 30))
def test_of_two_classes_only_the_order_matters(seed, n):
    rng = np.random.default_rng(seed)
    margin, label = rng.integers(-5, 6, n).astype(float), rng.integers(0, 2, n)
    for metric in ALL:
        plain = metric(np.stack([0 * margin, margin], 1), label)
        bent = metric(np.stack([0 * margin, np.sinh(margin)], 1), label)
        np.testing.assert_allclose(bent, plain, rtol=0, atol=1e-14)
        # the other direction swaps the classes' roles
        swapped = metric(np.stack([margin, 0 * margin], 1), 1 - label)
        np.testing.assert_allclose(swapped, plain, rtol=0, atol=1e-14)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("score", "label", "weight", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), None, "K >= 2"),
        (np.zeros((3, 2)), np.zeros(2, int), None, "shapes"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "N >= 1"),
        (np.array([[0, 1], [np.nan, 1], [0, np.inf]]), np.zeros(3, int), None, "2 of 3 images"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), None, "class indices below K"),
        (np.zeros((3, 2)), np.zeros(3, int), np.ones((2, 2)), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, -1, 1]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, np.nan, 1]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, np.inf, 1], np.float32), "weights"),
        (np.array([[0.5, 0.5], [0.3, 0.7], [0.2, 0.7]]), np.zeros(3, int), None, "1 of 3 rows"),
    ],
)
def test_faults_are_told(metric, score, label, weight, message):
    with pytest.raises(BenchmarkError, match=message):
        metric(score, label, weight)


def test_each_metric_is_declared():
    assert METRICS.get("macro_auroc") is MACRO_AUROC
    for metric, function in zip((MACRO_AUROC, MACRO_AUROC_HAND_TILL, MACRO_AUPRC), ALL, strict=True):
        assert (metric.name, metric.function, metric.higher_is_better) == (function.__name__, function, True)
        assert (metric.low, metric.high) == (0, 1)


@pytest.mark.slow
def test_ten_thousand_draws_of_ten_classes_take_two_seconds():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 10, 2000)
    score = rng.normal(size=(2000, 10)) + 1.5 * np.eye(10)[label]
    weight = np.concatenate([rng.multinomial(2000, np.full(2000, 1 / 2000), 500).astype(np.float32) for _ in range(20)])
    for metric, most_s in ((macro_auroc, 2), (macro_auroc_hand_till, 2), (macro_auprc, 2), (ranking_table, 4)):
        started = time.process_time()
        got = metric(score, label, weight)
        spent = time.process_time() - started
        print(f"{metric.__name__}: {spent:.2f} s of one core for 10,000 draws of 2,000 images")
        assert spent < most_s  # of this process: what others do beside it does not count
    np.testing.assert_allclose(got["macro_auroc"][:3], [sklearn_auroc(score, label, row) for row in weight[:3]])
