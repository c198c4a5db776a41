import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.api import Metric
from benchmark.metrics.guards import ALMOST_THE_SAME, FAITHFULNESS, RANDOMISATION, verdict

NAN = math.nan
GOOD, SENSITIVE = (0.6, 0.5, 0.7), (0.3, 0.2, 0.4)


@pytest.mark.parametrize(
    ("faithfulness", "randomisation", "starts"),
    [
        (GOOD, SENSITIVE, ""),
        ((0.05, 0.001, 0.1), SENSITIVE, ""),
        # not shown to be better than random, or shown to be worse
        ((0.05, 0.0, 0.1), SENSITIVE, "not shown to be more faithful than a random order"),
        ((0.6, -0.1, 1.0), SENSITIVE, "not shown to be more faithful than a random order"),
        ((-0.6, -0.7, -0.5), SENSITIVE, "not shown to be more faithful than a random order"),
        # only a similarity that is surely high condemns
        (GOOD, (0.95, 0.9, 1.0), "hardly depends on the weights"),
        (GOOD, (0.8, 0.6, 1.0), ""),
        (GOOD, (-0.6, -0.7, -0.5), ""),
        # the same maps for all images and seeds: no variance, no interval
        (GOOD, (1.0, NAN, NAN), "hardly depends on the weights"),
        # nothing fails, something is missing
        (GOOD, (0.3, NAN, NAN), "not decided: randomisation has no interval"),
        (GOOD, (NAN, NAN, NAN), "not decided: randomisation is not defined"),
        ((0.6, NAN, NAN), SENSITIVE, "not decided: faithfulness has no interval"),
        ((NAN,) * 3, (NAN,) * 3, "not decided: faithfulness is not defined and randomisation is not defined"),
        # one failure decides, whatever is missing: a uniform map has no similarity
        ((0.0, -0.1, 0.1), (NAN,) * 3, "not shown to be more faithful than a random order"),
        ((NAN,) * 3, (1.0, 0.99, 1.0), "hardly depends on the weights"),
    ],
)
def test_the_rule(faithfulness, randomisation, starts):
    found = verdict(faithfulness, randomisation)
    assert found.startswith(starts)
    assert bool(found) == bool(starts)


def test_both_reasons_are_told_with_their_numbers():
    assert verdict((0.012, -0.034, 0.056), (0.999, 0.998, 1.0)) == (
        "not shown to be more faithful than a random order: 0.01 [-0.03, 0.06], 0 is random; "
        "hardly depends on the weights: 1.00 [1.00, 1.00], 1 is not at all"
    )
    assert verdict(GOOD, (1.0, NAN, NAN)) == "hardly depends on the weights: 1.00, 1 is not at all"


def test_the_limit_is_half_of_the_variance_of_the_ranks():
    assert pytest.approx(0.5) == ALMOST_THE_SAME**2
    just = math.nextafter(ALMOST_THE_SAME, 1)
    assert verdict(GOOD, (0.8, ALMOST_THE_SAME, 0.9)) == ""
    assert verdict(GOOD, (0.8, just, 0.9)) != ""


@settings(max_examples=200, deadline=None)
@given(bounds=st.lists(st.floats(-1, 1), min_size=6, max_size=6), better=st.floats(0, 1))
def test_who_is_more_faithful_and_depends_more_on_the_weights_never_fails_instead(bounds, better):
    faithful, alike = sorted(bounds[:3]), sorted(bounds[3:])
    first = verdict((faithful[1], faithful[0], faithful[2]), (alike[1], alike[0], alike[2]))
    up, down = [each + better for each in faithful], [each - better for each in alike]
    if not first:
        assert verdict((up[1], up[0], up[2]), (down[1], down[0], down[2])) == ""


@pytest.mark.parametrize(
    ("metric", "name", "higher"), [(FAITHFULNESS, "faithfulness", True), (RANDOMISATION, "randomisation", False)]
)
def test_what_the_metrics_declare(metric, name, higher):
    assert isinstance(metric, Metric)
    assert (metric.name, metric.family, metric.low, metric.high) == (name, "guard", -1, 1)
    assert metric.higher_is_better is higher
