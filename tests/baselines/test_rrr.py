"""The gradient penalty against a hand formula, finite differences, and a mark that works by inhibition."""

import copy

import pytest
import torch
from differences import require_slopes
from torch import nn

from baselines.rrr import RRR
from benchmark.api import Batch

RNG = torch.Generator()


def method(**options: object) -> RRR:
    return RRR(RRR.Settings(**options))


def batch_of(count: int = 4, size: int = 3) -> Batch:
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(count, 1, size, size, generator=rng, dtype=torch.float64)
    mask = (torch.rand(count, 1, size, size, generator=rng) > 0.6).double()
    return Batch(image, torch.arange(count) % 3, mask)


def smooth_network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 6), nn.Softplus(), nn.Linear(6, 3)).double()


def penalty(network: nn.Module, batch: Batch, **options: object) -> torch.Tensor:
    return method(**options).loss(network, batch, RNG)["gradient_penalty"].detach()


def test_penalty_of_a_softmax_regression_is_its_formula() -> None:
    batch = batch_of()
    torch.manual_seed(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(9, 3)).double()
    weight, bias = network[1].weight.detach(), network[1].bias.detach()
    total = 0.0
    for image, mask in zip(batch.image.flatten(1), batch.mask.flatten(1), strict=True):
        p = torch.softmax(weight @ image + bias, 0)
        slope = weight.sum(0) - 3 * p @ weight  # d/dx (sum_k z_k - K logsumexp z)
        total += sum(float(slope[d]) ** 2 for d in range(9) if mask[d] == 0)
    assert float(penalty(network, batch)) == pytest.approx(total / 4, rel=1e-12)


def test_penalty_is_the_squared_finite_difference_of_the_log_probabilities() -> None:
    network, batch = smooth_network(), batch_of(2)
    total, step = 0.0, 1e-5
    for row in range(2):
        for place in (batch.mask[row, 0] == 0).nonzero():
            ends = []
            for sign in (1, -1):
                moved = batch.image[row : row + 1].clone()
                moved[0, 0, place[0], place[1]] += sign * step
                ends.append(network(moved).log_softmax(1).sum().item())
            total += ((ends[0] - ends[1]) / (2 * step)) ** 2
    assert float(penalty(network, batch)) == pytest.approx(total / 2, rel=1e-7)


def test_gradient_of_the_loss_reaches_every_weight_as_finite_differences_say() -> None:
    network, batch, rrr = smooth_network(), batch_of(), method(penalty_weight=0.7)

    def loss() -> torch.Tensor:
        return rrr.loss(network, batch, RNG)["loss"]

    weights = list(network.parameters())
    require_slopes(lambda: loss().item(), weights, torch.autograd.grad(loss(), weights), every=7)


def test_penalty_of_an_image_does_not_depend_on_how_many_others_come_with_it() -> None:
    network, batch = smooth_network(), batch_of()
    alone = [
        penalty(network, Batch(batch.image[i : i + 1], batch.label[i : i + 1], batch.mask[i : i + 1])) for i in range(4)
    ]
    torch.testing.assert_close(penalty(network, batch), torch.stack(alone).mean())


def test_loss_is_cross_entropy_plus_the_weighted_penalty() -> None:
    network, batch = smooth_network(), batch_of()
    found = method(penalty_weight=0.3).loss(network, batch, RNG)
    picked = network(batch.image).log_softmax(1)[torch.arange(4), batch.label]
    torch.testing.assert_close(found["loss"], -picked.mean() + 0.3 * found["gradient_penalty"])


def test_validation_without_gradients_finds_the_same_loss() -> None:
    network, batch = smooth_network(), batch_of()
    trained = method().loss(network, batch, RNG)["loss"]
    with torch.no_grad():
        validated = method().loss(network.eval(), batch, RNG)["loss"]
    torch.testing.assert_close(validated, trained)


def test_a_saturated_class_has_a_finite_penalty() -> None:
    network, batch = smooth_network(), batch_of()
    network[3].bias.data[0] = 2000.0  # the other probabilities round to 0
    found = method().loss(network, batch, RNG)["loss"]
    (gradient,) = torch.autograd.grad(found, network[1].weight)
    assert torch.isfinite(found)
    assert torch.isfinite(gradient).all()


def convolutional() -> nn.Module:
    torch.manual_seed(4)
    stem = [nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Softplus(), nn.Flatten()]
    return nn.Sequential(*stem, nn.Linear(12, 3)).double().train()


def test_penalty_with_constant_statistics_is_that_of_a_deployed_network_with_the_statistics_of_the_batch() -> None:
    network, batch = convolutional(), batch_of()
    deployed = copy.deepcopy(network).eval()
    seen = network[0](batch.image).detach()
    deployed[1].running_mean, deployed[1].running_var = seen.mean((0, 2, 3)), seen.var((0, 2, 3), correction=0)
    expected = penalty(deployed, batch)
    torch.testing.assert_close(penalty(network, batch, statistics="constant"), expected)
    assert not torch.allclose(penalty(network, batch, statistics="batch"), expected)


def test_the_second_forward_leaves_running_statistics_and_the_classification_gradient_alone() -> None:
    network, batch = convolutional(), batch_of()
    plain = copy.deepcopy(network)
    expected = torch.nn.functional.cross_entropy(plain(batch.image), batch.label)
    found = method(penalty_weight=0, statistics="constant").loss(network, batch, RNG)["loss"]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(network[1].running_var, plain[1].running_var)
    weight = network[0].weight
    torch.testing.assert_close(
        torch.autograd.grad(found, weight), torch.autograd.grad(expected, plain[0].weight), rtol=1e-9, atol=1e-12
    )


class Inhibited(nn.Module):
    """Two ReLU units: one sees the object (left pixel), the other is switched off by the mark (right pixel)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        object_, mark = x[:, 0, 0, 0], x[:, 0, 0, 1]
        return torch.stack([object_.relu(), 3 * self.scale * (1 - 2 * mark).relu()], 1)


def test_a_mark_that_inhibits_costs_nothing_at_the_image_and_something_on_the_path() -> None:
    network = Inhibited()
    image, mask = torch.ones(64, 1, 1, 2), torch.tensor([1.0, 0.0]).expand(64, 1, 1, 2)
    batch = Batch(image, torch.zeros(64, dtype=torch.int64), mask)
    without = image * mask
    assert network(image).argmax(1).unique().tolist() == [0]
    assert network(without).argmax(1).unique().tolist() == [1]  # the class hangs on the mark
    rng = torch.Generator().manual_seed(0)
    assert method().loss(network, batch, rng)["gradient_penalty"] == 0
    on_path = method(path="zero").loss(network, batch, rng)["gradient_penalty"]
    assert on_path > 1  # the unit is on for half of the path, with a slope of 6 in its logit
    (gradient,) = torch.autograd.grad(on_path, network.scale)
    assert gradient > 0
