import numpy as np
import pytest
from scipy import stats

from benchmark.api import VARIANTS
from benchmark.cell import Cell
from benchmark.metrics.named import metric_named
from benchmark.stats.track import Track
from benchmark.verdicts import bounds, guard_rows

CELL, N = Cell("d", "b", "erm"), 64
RNG = np.random.default_rng(0)


def track(name, seeds, noise=0.05, variant="iid"):
    """Seeds with the given values; 500 draws of an image noise."""
    values = np.asarray(seeds, float)
    draws = values[:, None] + RNG.normal(0, noise, (1, 500))
    return (variant, name), Track(metric_named(name), variant, values, draws, np.full(len(values), N))


def test_bounds_are_over_images_and_take_the_trained_models_as_given():
    (_, one), (_, apart) = track("faithfulness_lrp", [0.4, 0.4]), track("faithfulness_lrp", [0.1, 0.7])
    for each in (one, apart):
        value, low, high = bounds(each)
        assert value == pytest.approx(0.4)
        half = stats.t.ppf(0.975, N - 1) * each.seed_draws.mean(0).std(ddof=1)
        assert (low, high) == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))


def test_each_explainer_gets_the_verdict_of_its_two_numbers():
    tracks = dict(
        [
            track("faithfulness_lrp", [0.5, 0.6]),
            track("randomisation_lrp", [0.1, 0.1]),
            track("faithfulness_edges", [0.5, 0.6]),
            track("randomisation_edges", [0.99, 0.99], noise=0.001),
            track("faithfulness_integrated_gradients", [0.0, 0.02]),
            track("randomisation_integrated_gradients", [0.1, 0.1]),
        ]
    )
    rows = guard_rows(CELL, tracks)
    assert [(r.explainer, bool(r.verdict)) for r in rows] == [
        ("lrp_epsilon", False),
        ("edges", True),
        ("integrated_gradients", True),
    ]
    assert rows[0].faithfulness == pytest.approx(0.55)


def test_an_explainer_without_a_map_is_not_decided():
    nothing = np.full(2, np.nan)
    tracks = {
        ("iid", name): Track(metric_named(name), "iid", nothing, np.full((2, 500), np.nan), np.zeros(2, int))
        for name in ("faithfulness_attention_rollout", "randomisation_attention_rollout")
    }
    (row,) = guard_rows(CELL, tracks)
    assert row.verdict.startswith("not decided")


def test_an_explainer_that_was_not_tested_has_no_verdict():
    assert guard_rows(CELL, dict([track("faithfulness_lrp", [0.5, 0.6])])) == []
    for variant in set(VARIANTS) - {"iid"}:
        pair = [track(name, [0.5, 0.6], variant=variant) for name in ("faithfulness_lrp", "randomisation_lrp")]
        assert guard_rows(CELL, dict(pair)) == []
