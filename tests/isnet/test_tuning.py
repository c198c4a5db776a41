import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isnet.tuning import Running, bounds, map_total

NUMBERS = st.lists(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), min_size=2, max_size=6)


def running_over(*batches: list[float]) -> Running:
    running = Running()
    for batch in batches:
        running.add(torch.tensor(batch, dtype=torch.float64))
    return running


@given(NUMBERS)
def test_running_statistics_are_those_of_all_numbers_at_once(batches: list[list[float]]) -> None:
    running = running_over(*batches)
    together = torch.tensor([value for batch in batches for value in batch], dtype=torch.float64)
    assert running.mean == pytest.approx(together.mean().item(), abs=1e-9)
    assert running.std == pytest.approx(together.std().item(), abs=1e-6)  # torch divides by n - 1, too


def test_running_statistics_do_not_cancel_far_from_zero() -> None:
    assert running_over([1e9, 1e9 + 1], [1e9 + 2]).std == pytest.approx(1.0)


def test_total_is_the_whole_maps_and_the_mean_over_maps() -> None:
    heatmap = torch.tensor([[[[1.0, -2.0]], [[0.0, 3.0]]]])
    assert map_total(heatmap).tolist() == [6.0]
    assert map_total(torch.stack([heatmap, 3 * heatmap], 1)).tolist() == [12.0]


@pytest.mark.parametrize(
    ("values", "lower", "upper"),
    [
        ([8.0, 10.0, 12.0], 4.0, 16.0),  # m - 3s and m + 3s
        ([1.0, 10.0, 19.0], 2.0, 37.0),  # m/5 where m - 3s is below it
        ([0.0] * 99 + [100.0], 0.2, 5.0),  # m 1, s 10: 25 C1 where m + 3s is above it
    ],
)
def test_bounds_by_hand(values: list[float], lower: float, upper: float) -> None:
    assert bounds(running_over(values)) == pytest.approx((lower, upper))


def test_what_bounds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        bounds(running_over([3.0]))
    for values in ([0.0, 0.0], [4.0, 4.0]):
        with pytest.raises(ValueError, match=f"2 maps have mean {values[0]:g} and deviation 0, which bounds nothing"):
            bounds(running_over(values))
    with pytest.raises(ValueError, match="not finite"):
        running_over([1.0, math.nan])
