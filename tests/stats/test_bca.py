import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from benchmark.errors import BenchmarkError
from benchmark.metrics.generalization import accuracy, macro_f1
from benchmark.metrics.ranking import macro_auroc
from benchmark.stats.bca import bca, leave_one_out
from benchmark.stats.bootstrap import resample_counts

SPREAD = np.linspace(-1, 1, 201)
EVEN = np.array([-1.0, 0.0, 1.0])


def of_mean(sample):
    """The mean without each number, one after another."""
    return np.array([np.delete(sample, row).mean() for row in range(len(sample))])


def made_up(images=90, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, images)
    return rng.normal(size=(images, classes)) + 1.5 * np.eye(classes)[label], label


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_on_scipys_draws_the_bounds_are_scipys(seed, level):
    sample = np.random.default_rng(seed).exponential(size=25)  # skewed: BCa and percentiles differ
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=999, confidence_level=level, method="BCa", rng=np.random.default_rng(seed)
    )
    draws = theirs.bootstrap_distribution
    got = bca(sample.mean(), draws, of_mean(sample), level=level)
    assert (got.low, got.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-12)
    assert got.se == pytest.approx(theirs.standard_error)
    assert (got.value, got.reason, np.isnan(got.df)) == (sample.mean(), "", True)
    assert got.low > np.quantile(draws, (1 - level) / 2)  # moved towards the long tail


def of_sklearn(metric, score, label):
    if metric is macro_f1:
        return f1_score(label, score.argmax(1), average="macro")
    share = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    return roc_auc_score(label, share, multi_class="ovr")


@pytest.mark.parametrize("metric", [macro_f1, macro_auroc])
def test_of_a_metric_of_many_classes_too(metric):
    score, label = made_up(40)
    jackknife = leave_one_out(lambda weight: metric(score, label, weight), np.arange(40))
    theirs = stats.bootstrap(
        (np.arange(40),),
        lambda rows: of_sklearn(metric, score[rows], label[rows]),
        n_resamples=150,
        vectorized=False,
        method="BCa",
        rng=np.random.default_rng(2),
    )
    got = bca(of_sklearn(metric, score, label), theirs.bootstrap_distribution, jackknife)
    assert (got.low, got.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


def test_on_draws_of_counts_the_bounds_are_scipys_within_their_error():
    score, label = made_up(200)
    hit, unit = (score.argmax(1) == label).astype(float), np.arange(200)
    counts = resample_counts(unit, 10_000, np.random.default_rng(5))
    jackknife = leave_one_out(lambda weight: accuracy(score, label, weight), unit)
    got = bca(float(accuracy(score, label)), accuracy(score, label, counts), jackknife, low=0, high=1)
    theirs = stats.bootstrap((hit,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(6))
    # A 2.5 % quantile of 10,000 draws errs by sqrt(.025 * .975 / 10,000) / .058 = 2.7 % of a standard error, and
    # accuracies of 200 images lie 1/200 apart.
    bounds = theirs.confidence_interval
    assert (got.low, got.high) == pytest.approx((bounds.low, bounds.high), abs=4 * 0.038 * got.se + 0.005)


def test_without_bias_and_skewness_bounds_are_the_percentiles():
    got = bca(0.0, SPREAD, EVEN, level=0.9)
    assert (got.low, got.high, got.reason) == (pytest.approx(-0.9), pytest.approx(0.9), "")


def test_bias_and_acceleration_by_hand():
    # 3 of 4 draws below: z0 = Φ⁻¹(.75) = .67449. Jackknife 0, 0, 3: d = 1, 1, -2, Σd³ = -6, Σd² = 6,
    # a = -6 / (6 * 6^1.5) = -.068041. At 80 %, z = ∓1.281552: z0 + z = -.607062 and 1.956042,
    # .67449 - .607062 / (1 - .041305) = .041273 and .67449 + 1.956042 / (1 + .133092) = 2.400776
    draws = np.append(np.linspace(0, 0.75, 750), np.linspace(1.1, 2, 250))
    got = bca(1.0, draws, np.array([0.0, 0.0, 3.0]), level=0.8)
    assert got.low == pytest.approx(np.quantile(draws, stats.norm.cdf(0.041273)), abs=1e-5)
    assert got.high == pytest.approx(np.quantile(draws, stats.norm.cdf(2.400776)), abs=1e-5)


@pytest.mark.parametrize(
    ("value", "draws", "jackknife", "reason"),
    [
        (-2.0, SPREAD, EVEN, "percentiles: all draws lie on one side of the value"),
        (2.0, SPREAD, EVEN, "percentiles: all draws lie on one side of the value"),
        (0.0, SPREAD, np.array([0.1, np.nan, 0.2]), "percentiles: the value is not defined without some unit"),
        (0.0, SPREAD, np.array([0.1, 0.1, 0.1]), "percentiles: no unit moves the value"),
        (0.999, SPREAD, np.append(np.zeros(99), -9.0), "percentiles: too skewed for BCa"),
        (-0.999, SPREAD, np.append(np.zeros(99), 9.0), "percentiles: too skewed for BCa"),
    ],
)
def test_where_the_correction_fails_bounds_are_percentiles_and_say_so(value, draws, jackknife, reason):
    level = 0.999999 if "skewed" in reason else 0.9  # a is at most 1/6: only far out the ends can turn around
    got = bca(value, draws, jackknife, level=level)
    assert got.reason == reason
    assert (got.low, got.high) == (pytest.approx(-level, abs=1e-6), pytest.approx(level, abs=1e-6))


def test_all_right_gives_wilson_where_scipy_gives_none():
    got = bca(1.0, np.ones(500), np.ones(30), low=0, high=1)
    low, high = proportion_confint(30, 30, method="wilson")
    assert (got.low, got.high, got.reason) == (
        pytest.approx(low),
        pytest.approx(high),
        "no variance: Wilson's interval",
    )
    assert got.low == pytest.approx(0.886, abs=5e-4)
    assert np.isnan(bca(1.0, np.ones(500), np.ones(30)).low)  # another range has no Wilson


def test_draws_without_a_value_are_left_out_while_they_are_few():
    some = np.append(SPREAD, [np.nan] * 10)
    assert bca(0.0, some, EVEN) == bca(0.0, SPREAD, EVEN)
    many = bca(0.0, np.append(SPREAD, [np.nan] * 100), EVEN)
    assert np.isnan(many.low)
    assert "201 of 301 draws" in many.reason
    assert "1 unit" in bca(0.0, SPREAD, np.array([0.0])).reason
    assert "not defined" in bca(np.nan, SPREAD, EVEN).reason


def test_bounds_stay_in_the_range():
    got = bca(0.5, SPREAD + 0.5, EVEN, low=0, high=1)
    assert (got.low, got.high) == (0, 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_a_change_of_unit_changes_the_bounds_alike(seed, factor, shift):
    sample = np.random.default_rng(seed).gamma(1, size=12)
    draws = np.random.default_rng(seed + 1).choice(sample, (300, 12)).mean(1)
    assume(np.abs(draws - sample.mean()).min() > 1e-9)  # what is a tie would else depend on rounding
    got = bca(sample.mean(), draws, of_mean(sample))
    moved, turned = (
        bca(scale * sample.mean() + shift, scale * draws + shift, scale * of_mean(sample) + shift)
        for scale in (factor, -factor)
    )
    assert (moved.low, moved.high) == pytest.approx((factor * got.low + shift, factor * got.high + shift), abs=1e-6)
    assert (turned.high, turned.low) == pytest.approx((shift - factor * got.low, shift - factor * got.high), abs=1e-6)


def test_leaving_out_a_patient_leaves_out_all_images_of_the_patient():
    score, label = made_up(40)
    patient = np.random.default_rng(3).integers(0, 12, 40).astype(str)
    got = leave_one_out(lambda weight: macro_f1(score, label, weight), patient)
    expected = [
        f1_score(label[patient != name], score[patient != name].argmax(1), average="macro")
        for name in np.unique(patient)
    ]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_many_units_are_left_out_block_by_block():
    score, label = made_up(2500, seed=4)
    hit = score.argmax(1) == label
    got = leave_one_out(lambda weight: accuracy(score, label, weight), np.arange(2500))
    np.testing.assert_allclose(got, (hit.sum() - hit) / 2499, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bca(0.0, SPREAD, np.array([])), "jackknife of an interval; got 'shape"),
        (lambda: bca(0.0, SPREAD, np.eye(2)), "jackknife"),
        (lambda: bca(0.0, SPREAD[:1], EVEN), "draws of an interval"),
        (lambda: bca(0.0, SPREAD, EVEN, level=1.0), "level of an interval; got 1.0"),
        (lambda: leave_one_out(lambda weight: weight.sum(1), np.array(["a", "a"])), "units of a jackknife; got 1"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call()
