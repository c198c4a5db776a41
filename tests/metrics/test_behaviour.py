import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchmark.api import Metric
from benchmark.errors import BenchmarkError
from benchmark.metrics import behaviour
from benchmark.metrics.behaviour import (
    all_right,
    difference,
    effect,
    flip_rate,
    mean_of_defined,
    relative_foreground_sensitivity,
)
from benchmark.metrics.named import registered_metrics

nan = np.nan
shares = st.floats(0, 1)
tables = arrays(np.float64, array_shapes(min_dims=2, max_dims=3, max_side=5), elements=shares | st.just(nan))


@given(tables)
def test_the_mean_of_what_is_defined_is_the_mean_of_the_numbers_that_are_there(values):
    got = mean_of_defined(values)
    assert got.shape == values.shape[:-1]
    for place in np.ndindex(got.shape):
        there = [number for number in values[place].tolist() if number == number]
        assert got[place] == pytest.approx(sum(there) / len(there) if there else nan, nan_ok=True)


def test_a_mean_of_no_changes_is_not_defined():
    np.testing.assert_array_equal(mean_of_defined(np.empty((3, 0))), [nan, nan, nan])


def test_the_flip_rate_counts_changed_answers_among_those_that_are_there():
    before = np.array([0.0, 2.0, 1.0, nan, 1.0])
    after = np.array([[0, 1, 2, 0], [2, 2, 2, 2], [0, nan, 1, nan], [0, 1, 2, 0], [nan] * 4], float)
    np.testing.assert_array_equal(flip_rate(before, after), [0.5, 0, 0.5, nan, nan])


def test_the_effect_is_the_mean_change_whatever_its_direction():
    before, after = np.array([0.5, 0.9, nan]), np.array([[0.25, 0.75], [0.4, nan], [0.1, 0.2]])
    np.testing.assert_allclose(effect(before, after), [0.25, 0.5, nan], rtol=1e-15)


def test_all_must_be_right_and_a_missing_answer_is_no_right_one():
    correct = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0], [1, nan, 1], [0, nan, 1]])
    np.testing.assert_array_equal(all_right(correct), [1, 0, 0, nan, nan])


def test_a_difference_with_something_missing_is_not_defined():
    got = difference(np.array([1.0, 0.25, nan, 1]), np.array([0.0, 0.5, 1, nan]))
    np.testing.assert_array_equal(got, [1, -0.25, nan, nan])


def test_relative_foreground_sensitivity_of_known_accuracies():
    # (a_bg, a_fg) -> by hand: mean 0.6 allows differences up to 0.8; mean 0.3 up to 0.6; mean 0.85 up to 0.3.
    background, foreground = np.array([0.8, 0.2, 1.0, 1.0, 0.5]), np.array([0.4, 0.4, 0.7, 0.0, 0.5])
    np.testing.assert_allclose(
        relative_foreground_sensitivity(background, foreground), [0.5, -1 / 3, 1, 1, 0], rtol=1e-12
    )


@given(shares, shares)
def test_relative_foreground_sensitivity_is_the_share_of_the_largest_difference_that_the_mean_allows(first, second):
    got = relative_foreground_sensitivity(first, second)
    mean = (first + second) / 2
    # The accuracies furthest apart with the same mean: one of them is at an end of [0, 1].
    largest = (2 * mean if mean <= 0.5 else 1.0) - (0.0 if mean <= 0.5 else 2 * mean - 1)
    if mean in (0, 1):
        assert np.isnan(got)
    elif largest > 1e-9:
        assert got == pytest.approx((first - second) / largest, abs=1e-6)
        assert -1 <= got <= 1
        assert relative_foreground_sensitivity(second, first) == -got


def test_relative_foreground_sensitivity_works_on_whole_tables_and_leaves_out_what_is_not_defined():
    background = np.array([[0.8, 0.0, 1.0], [nan, 0.8, 0.5]])
    foreground = np.array([[0.4, 0.0, 1.0], [0.5, nan, 0.5]])
    got = relative_foreground_sensitivity(background, foreground)
    np.testing.assert_allclose(got, [[0.5, nan, nan], [nan, nan, 0]], rtol=1e-12)


@pytest.mark.parametrize(
    ("background", "foreground", "told"),
    [
        (1.2, 0.5, "noise in the background"),
        (0.5, -0.1, "noise in the foreground"),
        (np.array([0.5, 0.5]), np.array([0.5]), "noise in the foreground"),
        (np.array([nan, 80.0]), np.array([0.5, 0.5]), "80"),
    ],
)
def test_what_is_no_accuracy_is_told(background, foreground, told):
    with pytest.raises(BenchmarkError, match=told):
        relative_foreground_sensitivity(background, foreground)


def test_every_metric_of_behaviour_is_registered_under_its_own_name():
    constants = {key: value for key, value in vars(behaviour).items() if isinstance(value, Metric)}
    assert all(key == metric.name.upper() for key, metric in constants.items())
    registered = registered_metrics("behaviour")
    assert len(registered) >= 15
    assert all(constants[metric.name.upper()] is metric for metric in registered)


def test_the_accuracy_with_predicted_masks_is_the_mean_of_right_and_wrong():
    metric = behaviour.PREDICTED_MASK_ACCURACY
    assert metric.function(np.array([[1, 0, 1, 1.0], [nan, 0, 0, nan]])).tolist() == [0.75, 0]
    assert (metric.low, metric.high, metric.higher_is_better) == (0, 1, True)
