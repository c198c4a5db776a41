"""Every term of the loss against numpy, the averages by hand, gradients that must not flow, and a minority found."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from minority import Row, Small, assert_resumes_anywhere, deceived_accuracy, fit_of, sets_of
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.lff import UNSEEN, BiasedAndDebiased, LfF, generalised_cross_entropy, relative_difficulty
from benchmark.api import Batch, Task

RNG = torch.Generator()


class SmallLfF(LfF, Small):
    pass


class SmallERM(ERM, Small):
    pass


def method(**options: object) -> LfF:
    return LfF(LfF.Settings(**options))


def setting() -> tuple[BiasedAndDebiased, Batch]:
    """Six training images of two classes, of which images 1, 4 and 5 have come before and 4, 0 and 5 come now."""
    network = BiasedAndDebiased(Row(0), Row(1), 2, 6)
    network.average.copy_(
        torch.tensor([[UNSEEN, 2.0, UNSEEN, UNSEEN, 0.5, 0.4], [UNSEEN, 0.6, UNSEEN, UNSEEN, 1.5, 0.2]])
    )
    network.label.copy_(torch.tensor([0, 0, 0, 0, 1, 1]))
    logits = torch.tensor([[[2.0, 0.0], [0.5, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[-1.0, 1.0], [0.3, -0.2]]])
    return network, Batch(logits[:, None], torch.tensor([1, 0, 1]), row=torch.tensor([4, 0, 5]))


def losses(batch: Batch) -> np.ndarray:
    logits = batch.image[:, 0].double().numpy().transpose(1, 0, 2)
    chosen = logits[:, np.arange(3), batch.label.numpy()]
    return np.log(np.exp(logits).sum(2)) - chosen


def test_a_training_step_by_the_formula() -> None:
    network, batch = setting()
    found = method(amplification=0.6, memory=0.75).loss(network.train(), batch, RNG)
    each = losses(batch)
    average = np.array([[-1, 2.0, -1, -1, 0.5, 0.4], [-1, 0.6, -1, -1, 1.5, 0.2]])
    average[:, 0] = each[:, 1]  # the first time its loss itself
    average[:, 4] = 0.75 * average[:, 4] + 0.25 * each[:, 0]
    average[:, 5] = 0.75 * average[:, 5] + 0.25 * each[:, 2]
    np.testing.assert_allclose(network.average.numpy(), average, rtol=1e-6)
    largest = np.stack([average[:, :4].max(1), average[:, 4:].max(1)], 1)
    scaled = average[:, [4, 0, 5]] / largest[:, [1, 0, 1]]
    weight = scaled[0] / scaled.sum(0)
    biased = ((1 - np.exp(-0.6 * each[0])) / 0.6).mean()
    debiased = (weight * each[1]).mean()
    assert found["biased_loss"].item() == pytest.approx(biased, rel=1e-6)
    assert found["debiased_loss"].item() == pytest.approx(debiased, rel=1e-6)
    assert found["loss"].item() == pytest.approx(biased + debiased, rel=1e-6)
    assert found["difficulty"].item() == pytest.approx(weight.mean(), rel=1e-6)


def test_validation_takes_the_losses_of_the_moment_and_stores_nothing() -> None:
    network, batch = setting()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        found = method().loss(network.eval(), batch, RNG)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    each = losses(batch)
    scaled = each / np.array([[0.5, 2.0, 0.5], [1.5, 0.6, 1.5]])
    weight = scaled[0] / scaled.sum(0)
    assert found["debiased_loss"].item() == pytest.approx((weight * each[1]).mean(), rel=1e-6)


def test_generalised_cross_entropy_is_its_formula_and_its_slope_that_of_cross_entropy_times_a_power_of_p() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=rng, dtype=torch.float64).requires_grad_()
    label = torch.arange(6) % 4
    found = generalised_cross_entropy(logits, label, 0.7)
    p = logits.softmax(1)[torch.arange(6), label].detach()
    torch.testing.assert_close(found.detach(), (1 - p**0.7) / 0.7)
    (slope,) = torch.autograd.grad(found.sum(), logits)
    (of_plain,) = torch.autograd.grad(cross_entropy(logits, label, reduction="sum"), logits)
    torch.testing.assert_close(slope, p[:, None] ** 0.7 * of_plain)


def test_generalised_cross_entropy_is_near_cross_entropy_for_a_small_power_and_linear_at_one() -> None:
    logits, label = torch.tensor([[0.3, -0.4, 1.0]], dtype=torch.float64), torch.tensor([1])
    p = logits.softmax(1)[0, 1].item()
    assert generalised_cross_entropy(logits, label, 1e-6).item() == pytest.approx(-math.log(p), rel=1e-5)
    assert generalised_cross_entropy(logits, label, 1.0).item() == pytest.approx(1 - p)


def test_a_hopeless_image_has_a_finite_gradient() -> None:
    logits = torch.tensor([[-500.0, 500.0]], requires_grad=True)
    loss = generalised_cross_entropy(logits, torch.tensor([0]), 0.7)
    (slope,) = torch.autograd.grad(loss.sum(), logits)
    assert loss.item() == pytest.approx(1 / 0.7)
    assert slope.isfinite().all()


def test_difficulty_compares_the_networks_after_scaling_and_is_defined_where_nothing_is_lost() -> None:
    loss = torch.tensor([[1.0, 0.0, 0.0, 3.0], [1.0, 2.0, 0.0, 0.0]])
    largest = torch.tensor([[2.0, 1.0, 0.0, 0.0], [4.0, 2.0, 0.0, 0.0]])
    torch.testing.assert_close(relative_difficulty(loss, largest), torch.tensor([2 / 3, 0.0, 0.0, 1.0]))


def test_the_difficulty_is_a_constant_and_each_network_learns_from_its_own_term() -> None:
    network, batch = setting()
    found = method().loss(network.train(), batch, RNG)
    biased, debiased = network.biased.scale, network.debiased.scale
    of_biased = torch.autograd.grad(found["biased_loss"], [biased, debiased], retain_graph=True, allow_unused=True)
    of_debiased = torch.autograd.grad(found["debiased_loss"], [biased, debiased], retain_graph=True, allow_unused=True)
    assert [slope is not None for slope in of_biased] == [True, False]
    assert [slope is not None for slope in of_debiased] == [False, True]
    assert not found["difficulty"].requires_grad


def test_the_minority_becomes_difficult_in_training_and_the_rest_does_not() -> None:
    sets = sets_of(0.9)
    fit = fit_of(SmallLfF(SmallLfF.Settings()), sets)
    fit.run(lambda _: None)
    network = fit.plain
    assert isinstance(network, BiasedAndDebiased)
    assert torch.equal(network.label[network.average[0] != UNSEEN], sets.train.label[network.average[0] != UNSEEN])
    weight = relative_difficulty(network.average, network.largest()[:, network.label])
    minority = sets.train.code != sets.train.label
    assert weight[minority].mean() > 2 * weight[~minority].mean()


def test_the_debiased_network_learns_from_the_minority() -> None:
    plain = deceived_accuracy(SmallERM(SmallERM.Settings()), 0.95)
    debiased = deceived_accuracy(SmallLfF(SmallLfF.Settings()), 0.95)
    assert plain < 0.7
    assert debiased > plain + 0.2


def test_a_training_taken_up_after_any_epoch_ends_in_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_anywhere(lambda: SmallLfF(SmallLfF.Settings()), tmp_path)


def test_the_debiased_network_is_deployed_and_the_two_start_from_different_weights() -> None:
    network = method().build(Task("test_resnet", 3, 1, 28, 28, 5))
    assert isinstance(network, BiasedAndDebiased)
    assert method().deploy(network) is network.debiased
    assert network.average.shape == (2, 5)
    assert not torch.equal(*(one.get_classifier().weight for one in (network.biased, network.debiased)))
