"""The hand computations of docs/when-a-heatmap-lies.md."""

import math

import pytest
import torch
from torch import Tensor, nn

from isnet import lrp
from isnet.path import blend

IMAGE = torch.ones(1, 1, 1, 2, dtype=torch.float64)  # the digit pixel and the mark pixel
MASK = torch.tensor([1.0, 0.0], dtype=torch.float64).view(1, 1, 1, 2)
ALPHA = (torch.arange(4000, dtype=torch.float64).view(-1, 1, 1, 1) + 0.5) / 4000


def two_units(weight: list[list[float]], bias: list[float], out: list[float]) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor(weight))
        model[1].bias.copy_(torch.tensor(bias))
        model[3].weight.copy_(torch.tensor([out]))
    return model


def inhibited() -> nn.Sequential:
    """``f = relu(d) - relu(3 - 4 m)``."""
    return two_units([[1, 0], [0, -4]], [0, 3], [1, -1])


def damped(delta: float) -> nn.Sequential:
    """``f = relu(d) + relu(delta m) / delta``, which is ``d + m`` for every delta."""
    return two_units([[1, 0], [0, delta]], [0, 0], [1, 1 / delta])


def explained(model: nn.Module, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Relevance of the digit and of the mark, ``[N]`` each."""
    heatmap = lrp.explain(model, x, torch.zeros(len(x), dtype=torch.int64), eps=eps)
    return heatmap[..., 0].flatten(), heatmap[..., 1].flatten()


def along(eps: float, model: nn.Module) -> Tensor:
    """Relevance of the mark along the path."""
    return explained(model, blend(IMAGE.expand(len(ALPHA), -1, -1, -1), MASK, ALPHA), eps)[1]


def effect(model: nn.Module) -> float:
    with torch.no_grad():
        return float(model(IMAGE) - model(IMAGE * MASK))


@pytest.mark.parametrize("eps", [0.0, 1e-6, 0.01, 1.0])
def test_an_inhibiting_mark_has_no_relevance_at_the_image_for_any_eps(eps: float) -> None:
    assert effect(inhibited()) == 3
    assert explained(inhibited(), IMAGE, eps)[1].item() == 0


def test_on_the_path_its_plain_gradients_add_up_to_its_effect() -> None:
    relevance, alpha = along(0.0, inhibited()), ALPHA.flatten()
    assert (relevance / alpha).mean().item() == pytest.approx(3, abs=1e-6)
    assert relevance.mean().item() == pytest.approx(9 / 8, abs=1e-6)  # 4 α up to 3/4
    with torch.no_grad():
        logits = inhibited()(blend(IMAGE.expand(len(ALPHA), -1, -1, -1), MASK, ALPHA))
        assert (inhibited()(IMAGE) - logits.mean()).item() == pytest.approx(9 / 8, abs=1e-6)


def test_relevance_at_the_faded_images_bounds_the_effect_by_the_steepest_slope() -> None:
    steepest = 4.0
    assert effect(inhibited()) <= 2 * math.sqrt(steepest * along(0.0, inhibited()).abs().mean().item())


@pytest.mark.parametrize("eps", [1.0, 0.1, 0.01])
def test_one_hidden_layer_loses_at_most_its_bound_to_eps(eps: float) -> None:
    lost = effect(inhibited()) - (along(eps, inhibited()) / ALPHA.flatten()).mean().item()
    assert 0 < lost <= eps * math.log(1 + 4 / eps)  # |v| = 1, |q| = 4
    assert lost == pytest.approx(eps * math.log(1 + 3 / eps), rel=1e-2)  # the unit is on from 3 down to 0


def test_eps_hides_a_unit_with_a_small_input_and_a_large_output_on_the_whole_path() -> None:
    model = damped(1e-4)
    assert effect(model) == pytest.approx(1)
    digit, mark = explained(model, IMAGE, 0.01)
    assert digit.item() == pytest.approx(1 / 1.01)
    assert mark.item() == pytest.approx(1e-4 / 1.01e-2)
    seen = (along(0.01, model) / ALPHA.flatten()).mean().item()
    assert seen == pytest.approx(1 - 100 * math.log(1.01), abs=1e-6)
    assert seen == pytest.approx(0.005, abs=1e-4)
    assert (along(0.0, model) / ALPHA.flatten()).mean().item() == pytest.approx(1)
