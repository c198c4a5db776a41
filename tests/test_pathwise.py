"""Along the path, on a network small enough for a hand computation.

``f = relu(d) - relu(3 - 4 m)`` of a digit pixel ``d`` and a mark pixel ``m``, both 1: the mark switches the second unit
off.
"""

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.errors import BenchmarkError
from benchmark.pathwise import Shown, active_units, along_path, mean_interval, on_mark, share_off

EPS = 0.01


@pytest.fixture
def inhibited() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -4.0]]))
        model[1].bias.copy_(torch.tensor([0.0, 3.0]))
        model[3].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        model[3].bias.zero_()
    return model.eval()


@pytest.fixture
def shown() -> Shown:
    """Two equal images of a digit pixel and a mark pixel."""
    image = torch.ones(2, 1, 1, 2)
    unmarked = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2).expand(2, 1, 1, 2)
    mask = np.array([[[1, 0]]] * 2, np.uint8)
    return Shown(image, unmarked, mask, 1 - mask, torch.tensor([0, 0]))


def test_the_mark_acts_and_the_heatmap_of_the_image_is_silent(inhibited: nn.Module, shown: Shown) -> None:
    found = on_mark(inhibited, shown)
    assert found["mark_effect"] == pytest.approx(3)
    assert found["background_effect"] == pytest.approx(3)
    assert found["mark_relevance"] == 0
    assert found["mark_share"] == 0


def test_relevance_along_the_path_tells_of_it(inhibited: nn.Module, shown: Shown) -> None:
    found = on_mark(inhibited, shown)
    middles = (np.arange(20) + 0.5) / 20
    z = np.maximum(3 - 4 * middles, 0)  # the second unit, on up to 3/4, where its slope is 4
    assert found["path_gradient"] == pytest.approx(3, abs=1e-6)
    assert found["path_relevance"] == pytest.approx((4 * z / (z + EPS)).mean(), abs=1e-5)


def test_every_quantity_at_every_point(inhibited: nn.Module, shown: Shown) -> None:
    alphas = np.array([0, 0.25, 0.5, 0.75, 1])
    found = along_path(inhibited, shown, alphas)
    z = np.array([3, 2, 1, 0, 0])
    assert found["label_logit", ""] == pytest.approx(np.tile(1 - z, (2, 1)).T, abs=1e-6)
    relevance = 4 * alphas * z / (z + EPS)
    assert found["background_relevance", ""] == pytest.approx(np.tile(relevance, (2, 1)).T, abs=1e-5)
    assert found["switched_off", "2"].tolist() == [[0, 0]] * 3 + [[0.5, 0.5]] * 2
    assert found["switched_off", "all"].tolist() == found["switched_off", "2"].tolist()


def test_fading_leaves_the_foreground_and_the_images_as_they_are(shown: Shown) -> None:
    assert shown.faded(0.25)[0].flatten().tolist() == [1, 0.25]
    assert shown.image.min() == 1


def test_a_share_of_no_units_is_not_defined() -> None:
    before, now = np.array([[1, 1, 0], [0, 0, 0]], bool), np.array([[1, 0, 1], [1, 1, 1]], bool)
    assert share_off(before, now) == pytest.approx([0.5, np.nan], nan_ok=True)


def test_hooks_are_gone_afterwards_also_after_an_error(inhibited: nn.Module) -> None:
    with pytest.raises(KeyError), active_units(inhibited):
        raise KeyError
    assert not any(module._forward_hooks for module in inhibited.modules())


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"no ReLU module.*got 'Linear'"), active_units(nn.Linear(1, 1)):
        pass


def test_the_interval_is_students_over_the_defined_values() -> None:
    value, low, high, n = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert (value, n) == (2, 3)
    assert high - 2 == pytest.approx(4.302653 / np.sqrt(3), abs=1e-5)  # t(0.975, 2) = 4.302653, s = 1
    assert low == pytest.approx(4 - high)
    assert np.isnan(mean_interval(np.array([1.0, np.nan]))[1])
    assert np.isnan(mean_interval(np.array([np.nan]))[0])
