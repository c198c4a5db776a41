"""The masses by hand, and what all metrics of heatmaps have in common (``ALL``)."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.metrics import attribution, curves, localisation
from benchmark.metrics.attribution import (
    BACKGROUND_RELEVANCE_MASS,
    background_relevance_mass,
    density_ratio,
    density_share,
    inside_total_ratio,
    mark_relevance,
    relevance_mass_accuracy,
    weighted_inside_total_ratio,
)
from benchmark.metrics.contract import HeatmapMetric
from benchmark.registry import METRICS

MODULES = (attribution, localisation, curves)
ALL = [metric for module in MODULES for metric in vars(module).values() if isinstance(metric, HeatmapMetric)]
BY_NAME = {metric.name: metric for metric in ALL}
every_metric = pytest.mark.parametrize("metric", ALL, ids=list(BY_NAME))

R = np.array([[[4.0, -3.0, 1.0], [2.0, 0.0, -1.0], [0.5, 3.0, -2.0]]])
M = np.array([[[1, 1, 0], [1, 0, 0], [0, 0, 0]]], np.uint8)
"""Inside: |4| + |-3| + |2| = 9; outside: 1 + 0 + 1 + 0.5 + 3 + 2 = 7.5."""
HALF = np.array([[[1, 1], [0, 0]]], np.uint8)


def drawn(seed, count=3, shape=(4, 5), levels=None):
    """Random maps (of few levels, if asked: with many ties) and masks that are neither empty nor full."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=(count, *shape))
    if levels:
        relevance = rng.integers(-levels, levels + 1, (count, *shape)).astype(float)
    mask = rng.random((count, *shape)) < rng.uniform(0.2, 0.8)
    mask[:, 0, 0], mask[:, -1, -1] = True, False
    return relevance, mask


def all_orders(values, mask):
    """A map of these values in every order of its pixels, each with the same mask."""
    maps = np.array(list(permutations(np.ravel(values)))).reshape(-1, *np.shape(mask))
    return maps, np.broadcast_to(mask, maps.shape)


def test_every_metric_is_there():
    assert sorted(BY_NAME) == [
        "background_curve_area",
        "background_relevance_mass",
        "density_ratio",
        "density_share",
        "energy_pointing_game",
        "inside_total_ratio",
        "iou_curve_area",
        "iou_top_area",
        "mark_relevance",
        "mask_auroc",
        "mask_average_precision",
        "pointing_game",
        "relevance_mass_accuracy",
        "relevance_rank_accuracy",
        "weighted_inside_total_ratio",
    ]
    # Those that are computed for every explainer, and the one of the planted mark.
    assert sorted(metric.name for metric in ALL if metric.short) == [
        "background_relevance_mass",
        "density_share",
        "mark_relevance",
        "mask_auroc",
        "pointing_game",
    ]
    assert [metric.name for metric in ALL if metric.region == "mark"] == ["mark_relevance"]


@every_metric
def test_names_belong_together(metric):
    assert metric.function.__name__ == metric.name
    assert metric.family == "attribution"
    assert metric.chance and metric.source
    assert METRICS.get(metric.name) is metric


def test_masses_by_hand():
    assert background_relevance_mass(R, M) == pytest.approx([7.5 / 16.5])
    assert background_relevance_mass(R, 1 - M) == pytest.approx([9 / 16.5])
    assert mark_relevance(R, M) == pytest.approx([9 / 16.5])
    assert density_ratio(R, M) == pytest.approx([(7.5 / 6) / (9 / 3)])
    assert density_share(R, M) == pytest.approx([1.25 / (1.25 + 3)])
    assert relevance_mass_accuracy(R, M) == pytest.approx([(16 + 9 + 4) / (16 + 9 + 4 + 1 + 1 + 0.25 + 9 + 4)])
    assert inside_total_ratio(R, M) == pytest.approx([(4 + 2) / (4 + 2 + 1 + 0.5 + 3)])
    assert weighted_inside_total_ratio(R, M) == pytest.approx([6 / 10.5 * 9 / 3])


def test_masses_of_a_negative_map():
    relevance = -np.abs(R)
    for function in (background_relevance_mass, mark_relevance, density_ratio, density_share, relevance_mass_accuracy):
        assert function(relevance, M) == function(R, M)
    with np.errstate(divide="raise", invalid="raise"):
        assert np.isnan(inside_total_ratio(relevance, M))
        assert np.isnan(weighted_inside_total_ratio(relevance, M))


def test_a_flat_map_gives_the_chance_level():
    mask = np.zeros((1, 5, 4))
    mask[0, :2, :3] = 1
    relevance = np.full((1, 5, 4), 0.3)
    assert background_relevance_mass(-relevance, mask) == pytest.approx([14 / 20])
    assert mark_relevance(-relevance, mask) == pytest.approx([6 / 20])
    assert density_ratio(-relevance, mask) == pytest.approx([1])
    assert density_share(-relevance, mask) == pytest.approx([0.5])
    assert relevance_mass_accuracy(-relevance, mask) == pytest.approx([6 / 20])
    assert inside_total_ratio(relevance, mask) == pytest.approx([6 / 20])
    assert weighted_inside_total_ratio(relevance, mask) == pytest.approx([1])


def test_all_orders_of_the_pixels_have_the_chance_level_as_their_mean():
    values = [4.0, -3.0, 1.0, 2.0, 0.25, 3.0]
    maps, mask = all_orders(values, [[1, 1, 0], [0, 0, 0]])
    assert background_relevance_mass(maps, mask).mean() == pytest.approx(4 / 6)
    for share in (mark_relevance, relevance_mass_accuracy, inside_total_ratio):
        assert share(maps, mask).mean() == pytest.approx(2 / 6)
    assert weighted_inside_total_ratio(maps, mask).mean() == pytest.approx(1)
    assert density_share(maps, mask).mean() == pytest.approx(0.5, abs=0.03)
    maps, mask = all_orders(values, [[1, 1, 1], [0, 0, 0]])
    assert density_share(maps, mask).mean() == pytest.approx(0.5)
    # Jensen: E[x / y] > E[x] / E[y] where x and y are exchangeable.
    assert density_ratio(maps, mask).mean() > 1


def test_extremes_are_exact():
    inside, outside = HALF.astype(float), 1.0 - HALF
    maps, masks = np.concatenate([inside, -outside]), np.concatenate([HALF, HALF])
    assert background_relevance_mass(maps, masks).tolist() == [0, 1]
    assert mark_relevance(maps, masks).tolist() == [1, 0]
    assert density_share(maps, masks).tolist() == [0, 1]
    assert relevance_mass_accuracy(maps, masks).tolist() == [1, 0]
    assert inside_total_ratio(np.abs(maps), masks).tolist() == [1, 0]
    assert weighted_inside_total_ratio(np.abs(maps), masks).tolist() == [2, 0]


def test_a_density_ratio_that_no_float32_holds_is_not_defined():
    relevance = np.array([[[0.0, 0], [1, 1]], [[0, 1e-45], [0, 1]], [[0, 1e-310], [0, 1]], [[0, 2.0**-126], [0, 1]]])
    ratio = density_ratio(relevance, np.repeat(HALF, 4, 0))
    np.testing.assert_array_equal(ratio, [np.nan, np.nan, np.nan, 2.0**126])
    assert np.isfinite(ratio[3].astype(np.float32))
    assert density_share(relevance, np.repeat(HALF, 4, 0)).tolist() == [1, 1, 1, 1]


@every_metric
def test_empty_and_full_regions_and_maps_without_mass_are_not_defined(metric):
    rng = np.random.default_rng(0)
    relevance = rng.uniform(0.1, 1, (5, 4, 4))
    relevance[2] = 0
    mask = np.zeros((5, 4, 4))
    mask[[0, 2, 4], :2] = 1
    mask[3] = 1
    with np.errstate(divide="raise", invalid="raise"):
        value = metric.function(relevance, mask)
    assert value.shape == (5,)
    np.testing.assert_array_equal(np.isnan(value), [False, True, True, True, False])


@every_metric
def test_no_images_have_no_values(metric):
    assert metric.function(np.zeros((0, 28, 28)), np.zeros((0, 28, 28), np.uint8)).shape == (0,)


@every_metric
def test_better_is_the_declared_direction(metric):
    """All relevance on the region, falling from pixel to pixel, against all of it outside."""
    ramp = np.arange(16.0, 0, -1).reshape(1, 4, 4)
    mask = np.zeros((1, 4, 4), np.uint8)
    mask[0, :2] = 1
    on, off = (metric.function(ramp * where + 0.01, mask)[0] for where in (mask, 1 - mask))
    # The mark is what the model should not look at.
    better, worse = (off, on) if metric.region == "mark" else (on, off)
    assert better > worse if metric.higher_is_better else better < worse


@every_metric
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 1, 3]))
def test_values_are_in_the_declared_range_and_inputs_stay(metric, seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    before = relevance.copy(), mask.copy()
    value = metric.function(relevance, mask)
    value = value[~np.isnan(value)]
    assert ((value >= metric.low) & (value <= metric.high) & np.isfinite(value)).all()
    np.testing.assert_array_equal(relevance, before[0])
    np.testing.assert_array_equal(mask, before[1])


@every_metric
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), exponent=st.integers(-300, 300), levels=st.sampled_from([None, 2]))
def test_the_scale_of_a_map_is_irrelevant(metric, seed, exponent, levels):
    relevance, mask = drawn(seed, levels=levels)
    scaled = metric.function(relevance * 10.0**exponent, mask)
    np.testing.assert_allclose(scaled, metric.function(relevance, mask), rtol=1e-11, atol=1e-12)


@every_metric
@pytest.mark.parametrize("peak", [5e-324, 1.7e308])
def test_the_smallest_and_the_largest_floats_are_no_limits(metric, peak):
    pattern = np.array([[[1.0, 1.0], [1.0, 0.0]]])
    mask = np.array([[[1, 0], [1, 0]]])
    np.testing.assert_allclose(metric.function(pattern * peak, mask), metric.function(pattern, mask), rtol=1e-12)


@every_metric
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 1, 3]))
def test_where_the_pixels_are_is_irrelevant(metric, seed, levels):
    relevance, mask = drawn(seed, levels=levels)
    order = np.random.default_rng(seed).permutation(20)
    moved = [array.reshape(-1, 20)[:, order].reshape(array.shape) for array in (relevance, mask)]
    np.testing.assert_allclose(metric.function(*moved), metric.function(relevance, mask), rtol=1e-12)


@every_metric
def test_images_are_scored_one_by_one_and_in_any_float_type(metric):
    relevance, mask = drawn(7, count=9, levels=2)
    one_by_one = [metric.function(relevance[i : i + 1], mask[i : i + 1])[0] for i in range(9)]
    np.testing.assert_array_equal(metric.function(relevance, mask), one_by_one)
    np.testing.assert_array_equal(metric.function(relevance.astype(np.float32), mask.astype(np.uint8)), one_by_one)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), exponent=st.integers(-300, 300))
def test_properties_of_masses(seed, exponent):
    relevance, mask = drawn(seed)
    share = background_relevance_mass(relevance, mask)
    assert ((share > 0) & (share < 1)).all()
    np.testing.assert_allclose(share + background_relevance_mass(relevance, ~mask), 1, atol=1e-14)
    np.testing.assert_allclose(share + mark_relevance(relevance, mask), 1, atol=1e-14)
    np.testing.assert_allclose(background_relevance_mass(-relevance * 10.0**exponent, mask), share, atol=1e-12)
    for part in (density_share, relevance_mass_accuracy, inside_total_ratio):
        np.testing.assert_allclose(part(relevance, mask) + part(relevance, ~mask), 1, atol=1e-14)
    ratio = density_ratio(relevance, mask)
    np.testing.assert_allclose(ratio * density_ratio(relevance, ~mask), 1, rtol=1e-12)
    np.testing.assert_allclose(density_share(relevance, mask), ratio / (1 + ratio), rtol=1e-12)
    area = mask.mean((1, 2))
    np.testing.assert_allclose(ratio, share / (1 - share) * area / (1 - area), rtol=1e-12)
    np.testing.assert_allclose(weighted_inside_total_ratio(relevance, mask) * area, inside_total_ratio(relevance, mask))


def test_quantus_gives_the_same_masses_where_it_is_right():
    """Numbers of Quantus 0.6.0 with ``normalise=False``, on ``R`` and ``M`` and on 4 x 4 maps.

    Where it is not right, on the same maps:

    - RelevanceMassAccuracy is signed by default: 0.667 for ``R``, and 30.0 for [[3, -2.9], [0, 0]] with the mask
      [[1, 0], [0, 0]], though a share cannot be above 1. So it gets ``R**2`` here, or ``abs=True``.
    - AttributionLocalisation takes absolute values by default (0.545 instead of 0.571); it adds 1e-9 to the sum, so
      that ``R * 1e-9`` gives 0.522 instead of 0.571; ``weighted=True`` divides by the size of ``x_batch[2:]``: inf,
      inf, 0.190, 0.095 for one and the same image in batches of 1, 2, 3 and 4.
    - A full mask gives 1.0 in both. Uniform maps and maps of zeros fail an assertion that stops the whole batch.
    """
    relevance = np.array([[[5, 1, -2, 7], [3, -4, 6, 2.5], [0.5, -6, -1, 4], [-3, 8, 1.5, -7]]])
    mask = np.array([[[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 0]]])
    # RelevanceMassAccuracy(normalise=False) of R**2
    assert relevance_mass_accuracy(R, M) == pytest.approx([0.655367231638418])
    assert relevance_mass_accuracy(relevance, mask) == pytest.approx([0.4725868725868726])
    # RelevanceMassAccuracy(abs=True, normalise=False), with the mask of the background
    assert background_relevance_mass(R, M) == pytest.approx([0.45454545454545453])
    assert background_relevance_mass(relevance, mask) == pytest.approx([0.5934959349593496])
    # AttributionLocalisation(abs=False, positive_attributions=True, normalise=False)
    assert inside_total_ratio(R, M) == pytest.approx([0.5714285713741497])
    assert inside_total_ratio(relevance, mask) == pytest.approx([0.3636363636269186])


@every_metric
@pytest.mark.parametrize(
    ("relevance", "mask", "message"),
    [
        (np.full((1, 2, 2), np.nan), HALF, "relevance of image 0 is not finite"),
        (np.array([[[1, 0], [0, 2]], [[0, -np.inf], [1, 2]]]), np.repeat(HALF, 2, 0), "image 1 is not finite"),
        (np.ones((1, 2, 2)), HALF * 255, r"mask of image 0; got \[0, 255\]; expected only 0 and 1"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), np.nan), "mask of image 0"),
        (np.ones((1, 2, 2)), HALF * 0.5, "mask of image 0"),
        (np.ones((1, 3, 2, 2)), HALF, "Sum the relevance over channels first"),
        (np.ones((2, 2, 2)), HALF, "shapes"),
        (np.ones((1, 0, 2)), np.ones((1, 0, 2)), "with pixels"),
    ],
)
def test_faults_are_told(metric, relevance, mask, message):
    with pytest.raises(BenchmarkError, match=message):
        metric.function(relevance, mask)


def test_registered_under_its_name():
    assert METRICS.get("background_relevance_mass") is BACKGROUND_RELEVANCE_MASS
