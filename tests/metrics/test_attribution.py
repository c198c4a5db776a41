import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.metrics.attribution import BACKGROUND_RELEVANCE_MASS, background_relevance_mass
from benchmark.registry import METRICS

HALF = np.array([[[1, 1], [0, 0]]], np.uint8)


def test_hand_value():
    relevance = np.array([[[3.0, -1.0], [0.5, -1.5]]])
    assert background_relevance_mass(relevance, HALF) == pytest.approx([2 / 6])
    assert background_relevance_mass(relevance, 1 - HALF) == pytest.approx([4 / 6])


def test_a_flat_map_gives_the_share_of_the_background():
    mask = np.zeros((1, 5, 4))
    mask[0, :2, :3] = 1
    assert background_relevance_mass(np.full((1, 5, 4), -0.3), mask) == pytest.approx([14 / 20])


def test_extremes_are_exact():
    inside, outside = HALF.astype(float), 1.0 - HALF
    got = background_relevance_mass(np.concatenate([inside, -outside]), np.concatenate([HALF, HALF]))
    assert got.tolist() == [0, 1]


def test_undefined_is_nan_and_only_there():
    relevance = np.stack([np.zeros((2, 2)), np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2))])
    mask = np.stack([HALF[0], np.zeros((2, 2)), np.ones((2, 2)), HALF[0]])
    np.testing.assert_array_equal(background_relevance_mass(relevance, mask), [np.nan, np.nan, np.nan, 0.5])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), exponent=st.integers(-300, 300))
def test_properties(seed, exponent):
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=(3, 4, 5))
    mask = np.zeros((3, 4, 5), bool)
    mask[:, 1:3, 1:4] = True
    share = background_relevance_mass(relevance, mask)
    assert ((share > 0) & (share < 1)).all()
    np.testing.assert_allclose(share + background_relevance_mass(relevance, ~mask), 1, atol=1e-14)
    np.testing.assert_allclose(background_relevance_mass(-relevance * 10.0**exponent, mask), share, atol=1e-12)


@pytest.mark.parametrize(
    ("relevance", "mask", "message"),
    [
        (np.full((1, 2, 2), np.nan), HALF, "relevance of image 0 is not finite"),
        (np.full((1, 2, 2), np.inf), HALF, "relevance of image 0 is not finite"),
        (np.ones((1, 2, 2)), HALF * 255, r"mask of image 0; got \[0, 255\]; expected only 0 and 1"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), np.nan), "mask of image 0"),
        (np.ones((1, 3, 2, 2)), HALF, "Sum the relevance over channels first"),
        (np.ones((2, 2, 2)), HALF, "shapes"),
    ],
)
def test_faults_are_told(relevance, mask, message):
    with pytest.raises(BenchmarkError, match=message):
        background_relevance_mass(relevance, mask)


def test_registered_under_its_name():
    assert METRICS.get("background_relevance_mass") is BACKGROUND_RELEVANCE_MASS
