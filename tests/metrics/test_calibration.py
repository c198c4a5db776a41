import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit, softmax
from sklearn.metrics import brier_score_loss

from benchmark.errors import BenchmarkError
from benchmark.metrics.calibration import (
    BRIER,
    ECE,
    are_probabilities,
    brier,
    class_evidence,
    declared_probabilities,
    ece,
    probabilities,
)

ALL = [ece, brier]


def slow_ece(score, label, weight):
    """By its definition, one bin and one image at a time."""
    p, total = softmax(score, axis=1), 0.0
    for m in range(1, 16):
        accuracy = confidence = count = 0.0
        for row, true, w in zip(p, label, weight, strict=True):
            if (m - 1) / 15 < row.max() <= m / 15:
                accuracy += w * (row.argmax() == true)
                confidence += w * row.max()
                count += w
        if count:
            total += count / weight.sum() * abs(accuracy / count - confidence / count)
    return total


def sklearn_brier(score, label, weight):
    classes = np.arange(score.shape[1])
    return brier_score_loss(label, softmax(score, axis=1), sample_weight=weight, labels=classes, scale_by_half=False)


REFERENCES = {ece: slow_ece, brier: sklearn_brier}


def sample(seed, n=80, classes=4):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    return rng.normal(size=(n, classes)) + 2 * np.eye(classes)[label], label, rng.integers(0, 4, (4, n)).astype(float)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_against_a_second_implementation(metric, classes, dtype):
    score, label, weight = sample(classes, classes=classes)
    expected = [REFERENCES[metric](score, label, row) for row in weight]
    np.testing.assert_allclose(metric(score, label, weight.astype(dtype)), expected, rtol=0, atol=1e-14)
    assert metric(score, label) == pytest.approx(REFERENCES[metric](score, label, np.ones(len(label))), abs=1e-14)


def test_ece_by_hand():
    # two images in the bin (.6, .667], one hit: |1/2 - .65|; one in (.933, 1], hit: |1 - .95|
    p, label = np.array([[0.65, 0.35], [0.65, 0.35], [0.05, 0.95]]), np.array([0, 1, 1])
    assert ece(p, label) == pytest.approx((2 * 0.15 + 0.05) / 3)
    assert ece(p, label, np.array([1, 0, 1])) == pytest.approx((0.35 + 0.05) / 2)
    assert ece(p, label, np.array([3, 1, 0])) == pytest.approx(abs(3 / 4 - 0.65))


def test_a_confidence_on_an_edge_lies_in_the_bin_below():
    # .8 = 12/15 closes the bin (11/15, 12/15]: together with .75 (hit) the bin's errors cancel in part.
    p, label = np.array([[0.8, 0.2], [0.75, 0.25]]), np.array([1, 0])
    assert ece(p, label) == pytest.approx(abs(1 / 2 - (0.8 + 0.75) / 2))
    # .81 lies in the next one: each bin stands by itself.
    p[0] = 0.81, 0.19
    assert ece(p, label) == pytest.approx((0.81 + 0.25) / 2)


def test_calibrated_confidence_has_no_error():
    p, label = np.tile([0.75, 0.25], (8, 1)), np.array([0, 0, 0, 1] * 2)
    assert ece(p, label) == pytest.approx(0, abs=1e-15)
    assert brier(p, label) == pytest.approx(0.75 * 2 * 0.25**2 + 0.25 * 2 * 0.75**2)


def test_brier_by_hand():
    p, label = np.array([[0.5, 0.3, 0.2], [1, 0, 0], [1, 0, 0]]), np.array([1, 0, 2])
    assert brier(p, label) == pytest.approx(((0.25 + 0.49 + 0.04) + 0 + 2) / 3)
    assert brier(p, label, np.array([1, 3, 0])) == pytest.approx(0.78 / 4)


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_equal_probabilities_are_at_chance(classes):
    score, label = np.zeros((2 * classes, classes)), np.repeat(np.arange(classes), 2)
    assert brier(score, label) == pytest.approx(1 - 1 / classes)
    assert ece(score, label) == pytest.approx(0, abs=1e-15)


def test_being_sure_and_wrong_is_the_worst():
    score, label = 1e4 * np.eye(3)[[0, 1, 2]], np.array([1, 2, 0])
    assert ece(score, label) == ECE.high == 1
    assert brier(score, label) == BRIER.high == 2
    assert ece(score, np.arange(3)) == brier(score, np.arange(3)) == 0


@pytest.mark.parametrize("metric", ALL)
def test_one_class_alone_is_scored_and_no_image_is_not(metric):
    score, label = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0])
    assert np.isfinite(metric(score, label))
    assert np.isnan(metric(score, label, np.zeros(2)))
    assert metric(score, label, np.ones((2, 3, 2))).shape == (2, 3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6), n=st.integers(2, 30))
def test_properties(seed, classes, n):
    rng = np.random.default_rng(seed)
    score, label = 3 * rng.normal(size=(n, classes)), rng.integers(0, classes, n)
    weight = rng.integers(0, 3, (3, n))
    turn, rows = rng.permutation(classes), rng.permutation(n)
    for metric, declared in ((ece, ECE), (brier, BRIER)):
        got = metric(score, label, weight)
        assert ((got >= 0) & (got <= declared.high) | np.isnan(got)).all()
        for value, counts in zip(got, weight, strict=True):
            again = np.repeat(np.arange(n), counts)  # a weight is a repeated image
            if len(again):
                assert metric(score[again], label[again]) == pytest.approx(value, abs=1e-13)
        moved = metric(score[rows][:, turn], np.argsort(turn)[label[rows]], 3 * weight[:, rows])
        np.testing.assert_allclose(moved, got, rtol=0, atol=1e-13)
        # what is added to all logits of an image does not matter, and its softmax says the same
        np.testing.assert_allclose(metric(score + rng.normal(size=(n, 1)), label, weight), got, rtol=0, atol=1e-13)
        np.testing.assert_allclose(metric(softmax(score, axis=1), label, weight), got, rtol=0, atol=1e-13)


def test_what_a_table_holds_is_read_off_all_its_rows():
    p = np.array([[0.2, 0.8], [0.5, 0.5], [1, 0]])
    assert are_probabilities(p)
    np.testing.assert_array_equal(probabilities(p), p)
    assert are_probabilities(softmax(np.random.default_rng(0).normal(size=(500, 1000)), axis=1).astype(np.float32))
    # not negative, but no row sums to one: logits, by the contract
    z = np.array([[1.0, 2.0], [3.0, 0.0], [0.5, 0.25]])
    assert not are_probabilities(z)
    np.testing.assert_allclose(probabilities(z)[:, 0], 1 / (1 + np.exp([1, -3, -0.25])))
    # rows that sum to one by themselves, with a value below 0
    assert not are_probabilities(np.array([[2.0, -1.0], [1.5, -0.5]]))
    # one row that happens to be a distribution does not make the table one
    assert not are_probabilities(np.array([[0.5, 0.5], [3.0, 0.0], [1.0, 2.0]]))


def test_evidence_is_the_log_odds_of_a_class_also_where_probabilities_saturate():
    score = 3 * np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_allclose(class_evidence(score), logit(softmax(score, axis=1)), rtol=0, atol=1e-12)
    # p / (1 - p) of the top class is exp(60) / (1 + exp(1)); of the next one exp(1) / (exp(60) + 1), which is exp(-59)
    got = class_evidence(np.array([[60.0, 1.0, 0.0]]))
    np.testing.assert_allclose(got[0, :2], [60 - np.log1p(np.e), -59], rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", [*ALL, probabilities, class_evidence])
def test_a_damaged_table_of_probabilities_is_refused_and_its_rows_counted(metric):
    p = softmax(np.random.default_rng(0).normal(size=(1000, 3)), axis=1)
    p[[17, 400, 999]] *= 0.97
    with pytest.raises(BenchmarkError, match=r"do not sum to one; got '3 of 1000 rows; row 17 sums to 0.97"):
        metric(*((p, np.zeros(1000, int)) if metric in ALL else (p,)))


@pytest.mark.parametrize("row", [[0.5, 0.4], [0.6, 0.5], [1.2, -0.2], [np.nan, 1], [5.0, -3.0]])
def test_declared_probabilities_are_checked_row_by_row(row):
    good = np.array([[0.2, 0.8]])
    assert declared_probabilities(good) is good
    for table in ([row], [[0.2, 0.8], row], [row, row, [0.2, 0.8]]):
        with pytest.raises(BenchmarkError, match=f"{table.count(row)} of {len(table)} rows"):
            declared_probabilities(np.array(table))


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("score", "label", "weight", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), None, "K >= 2"),
        (np.array([[0, 1], [np.nan, 1], [0, np.inf]]), np.zeros(3, int), None, "2 of 3 images"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), None, "class indices below K"),
        (np.zeros((3, 2)), np.zeros(3, int), np.array([1, -1, 1]), "weights"),
        (np.zeros((3, 2)), np.zeros(3, int), np.ones(4), "weights"),
    ],
)
def test_faults_are_told(metric, score, label, weight, message):
    with pytest.raises(BenchmarkError, match=message):
        metric(score, label, weight)


def test_less_is_better():
    for metric, function in ((ECE, ece), (BRIER, brier)):
        assert (metric.name, metric.function, metric.higher_is_better) == (function.__name__, function, False)
        assert (metric.family, metric.low) == ("generalization", 0)
