import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import ACCURACY, MACRO_AUROC, MACRO_F1, accuracy, gap, macro_auroc, macro_f1
from benchmark.metrics.named import metric_named
from benchmark.registry import METRICS

ALL = [accuracy, macro_f1, macro_auroc]


def sklearn_auroc(score, label, weight):
    """Mean over the classes that have positives and negatives; scikit-learn knows only binary sample weights."""
    probability = softmax(np.asarray(score, float), axis=1)
    areas = [
        roc_auc_score(label == k, probability[:, k], sample_weight=weight)
        for k in range(score.shape[1])
        if 0 < weight[label == k].sum() < weight.sum()
    ]
    return np.mean(areas) if areas else np.nan


def sklearn_f1(score, label, weight):
    kept = weight > 0
    return f1_score(label[kept], score[kept].argmax(1), sample_weight=weight[kept], average="macro", zero_division=0)


def sklearn_accuracy(score, label, weight):
    return accuracy_score(label, score.argmax(1), sample_weight=weight)


REFERENCES = {accuracy: sklearn_accuracy, macro_f1: sklearn_f1, macro_auroc: sklearn_auroc}


def sample(seed, n=60, classes=4, missing=None, coarse=False):
    rng = np.random.default_rng(seed)
    label = rng.choice([k for k in range(classes) if k != missing], n)
    score = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[label]
    # Distinct sets of coarse rows repeat whole rows, so that equal scores are equal for everybody.
    return (score[rng.integers(0, 5, n)] if coarse else score), label, rng.integers(0, 4, (7, n)).astype(float)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("missing", [None, 2])
def test_against_scikit_learn(metric, missing, coarse):
    for seed in range(3):
        score, label, weight = sample(seed, missing=missing, coarse=coarse)
        expected = [REFERENCES[metric](score, label, row) for row in weight]
        np.testing.assert_allclose(metric(score, label, weight), expected, rtol=0, atol=1e-12)
        once = REFERENCES[metric](score, label, np.ones(len(label)))
        assert metric(score, label) == pytest.approx(once, abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
def test_a_weight_is_a_repeated_image(metric):
    score, label, weight = sample(11)
    rows = np.repeat(np.arange(len(label)), weight[0].astype(int))
    assert metric(score, label, weight[0]) == pytest.approx(float(metric(score[rows], label[rows])), abs=1e-14)


@pytest.mark.parametrize("metric", ALL)
def test_shapes(metric):
    score, label, weight = sample(3)
    assert np.shape(metric(score, label)) == ()
    assert np.shape(metric(score, label, weight[0])) == ()
    many = metric(score, label, np.concatenate([weight] * 20).reshape(2, 70, -1))
    assert many.shape == (2, 70)
    np.testing.assert_array_equal(many.reshape(20, 7), np.tile(metric(score, label, weight), (20, 1)))


@pytest.mark.parametrize("metric", ALL)
def test_no_weight_at_all_is_nan(metric):
    score, label, weight = sample(3)
    got = metric(score, label, np.stack([weight[0], 0 * weight[0]]))
    assert np.isfinite(got[0])
    assert np.isnan(got[1])


def test_hand_values():
    #                 hit           hit           0 for 1       2 for 1       hit
    score = np.array([[2.0, 1, 0], [0, 3.0, 0], [2.0, 1, 1], [0, 1, 2.0], [0, 0, 1.0]])
    label = np.array([0, 1, 1, 1, 2])
    assert accuracy(score, label) == pytest.approx(3 / 5)
    # F1: class 0: 2·1/(1+2), class 1: 2·1/(3+1), class 2: 2·1/(1+2)
    assert macro_f1(score, label) == pytest.approx((2 / 3 + 1 / 2 + 2 / 3) / 3)
    assert accuracy(score, label, np.array([1, 0, 2, 0, 1])) == pytest.approx(2 / 4)
    # class 1 keeps its 2 labels under these weights and is never predicted: 0
    assert macro_f1(score, label, np.array([1, 0, 2, 0, 1])) == pytest.approx((2 / 4 + 0 + 1) / 3)
    # without labels or predictions of class 1 it is left out
    assert macro_f1(score, label, np.array([1, 0, 0, 0, 1])) == 1


def test_auroc_hand_values():
    p = np.array([0.9, 0.4, 0.4, 0.1])
    score, label = np.stack([1 - p, p], 1), np.array([1, 1, 0, 0])
    # pairs: .9 beats both, .4 ties with one and beats one: 3.5 of 4
    assert macro_auroc(score, label) == pytest.approx(3.5 / 4)
    # weights 1, 2 on the positives: (1·2 + 2·1.5) / (3·2)
    assert macro_auroc(score, label, np.array([1, 2, 1, 1])) == pytest.approx(5 / 6)
    assert np.isnan(macro_auroc(score, label, np.array([1, 1, 0, 0])))


def test_auroc_orders_images_by_probability_not_by_logit():
    # The raw logit of class 1 would rank the negative first.
    score = np.array([[5.0, 4.0], [-3.0, 0.0]])
    assert macro_auroc(score, np.array([0, 1])) == 1
    shifted = score + np.array([[100.0], [-100.0]])
    assert macro_auroc(shifted, np.array([0, 1])) == 1


def test_auroc_of_logits_and_of_their_softmax_agree():
    score, label, weight = sample(5, classes=3)
    np.testing.assert_allclose(
        macro_auroc(softmax(score, axis=1), label, weight), macro_auroc(score, label, weight), atol=1e-14
    )


def test_auroc_survives_saturated_probabilities():
    # All four probabilities of class 1 round to 1.0; their order is perfect nevertheless.
    score = np.array([[0.0, 50, 0], [0.0, 60, 0], [0.0, 70, 0], [0.0, 80, 0]])
    assert (softmax(score, axis=1)[:, 1] == 1).all()
    ranked = macro_auroc(score[:, :2], np.array([0, 0, 1, 1]))
    assert ranked == 1


def test_a_constant_classifier_is_at_chance():
    label = np.array([0, 1, 2, 2, 1, 0])
    score = np.tile([1.0, 2.0, 3.0], (6, 1))
    assert accuracy(score, label) == pytest.approx(1 / 3)
    assert macro_auroc(score, label) == 0.5


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
        # neither the order of the images nor the names of the classes matter, nor a scale of the weights
        moved = metric(score[rows][:, turn], np.argsort(turn)[label[rows]], 3 * weight[:, rows])
        np.testing.assert_allclose(moved, got, atol=1e-12)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("score", "label", "weight", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), None, "K >= 2"),
        (np.zeros((3, 2)), np.zeros(2, int), None, "shapes"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "N >= 1"),
        (np.full((3, 2), np.nan), np.zeros(3, int), None, "not finite"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), None, "class indices below K"),
        (np.zeros((3, 2)), np.array([0.0, 1, 1]), None, "class indices below K"),
        (np.zeros((3, 2)), np.zeros(3, int), np.ones((2, 2)), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, -1, 1]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, np.nan, 1]), "weights"),
    ],
)
def test_faults_are_told(metric, score, label, weight, message):
    with pytest.raises(BenchmarkError, match=message):
        metric(score, label, weight)


def test_gap():
    drop = gap(ACCURACY)
    assert (drop.name, drop.low, drop.high, drop.higher_is_better) == ("accuracy_gap", -1, 1, False)
    np.testing.assert_allclose(drop.function(np.array([0.9, 0.5]), np.array([0.2, 0.6])), [0.7, -0.1])
    brm = METRICS.get("background_relevance_mass")
    # Less is better: moving from 0.2 to 0.7 takes 0.5 away.
    assert gap(brm).function(0.2, 0.7) == pytest.approx(0.5)


def test_registered_under_their_names():
    for metric in (ACCURACY, MACRO_F1, MACRO_AUROC):
        assert METRICS.get(metric.name) is metric


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
