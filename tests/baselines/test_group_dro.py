"""Group weights and loss against numpy, what the loss is an estimate of, and a minority that is not given up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from minority import Small, assert_resumes_anywhere, deceived_accuracy, fit_of, sets_of
from torch import nn
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.group_dro import GroupDRO, Grouped, balancing_weights, group_of
from benchmark.api import Batch, Task

RNG = torch.Generator()


class SmallDRO(GroupDRO, Small):
    pass


class SmallERM(ERM, Small):
    pass


class ImagesAreLogits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x[:, 0, 0]


def method(**options: object) -> GroupDRO:
    return GroupDRO(GroupDRO.Settings(**options))


def setting() -> tuple[Grouped, Batch]:
    """Two classes, two marks or none: groups 0, 2, 3 and 4 of six have images; the batch holds three of them."""
    network = Grouped(ImagesAreLogits(), 2)
    network.size.copy_(torch.tensor([60, 0, 9, 25, 6, 0]))
    network.q.copy_(torch.tensor([0.4, 0.0, 0.3, 0.2, 0.1, 0.0]))
    logits = torch.tensor([[2.0, 0.0], [1.0, 0.5], [0.0, 1.0], [-1.0, 1.0], [3.0, 0.0]])
    label, code = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, -1, 1, 1])
    return network, Batch(logits[:, None, None], label, code=code)


def losses(batch: Batch) -> np.ndarray:
    logits = batch.image[:, 0, 0].double().numpy()
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), batch.label.numpy()]


def test_a_group_is_a_class_with_a_mark_and_no_mark_is_one_too() -> None:
    image, label = torch.zeros(5, 1, 1, 1), torch.tensor([0, 0, 1, 1, 2])
    assert group_of(Batch(image, label, code=torch.tensor([0, 2, -1, 1, -1])), 3).tolist() == [0, 2, 7, 5, 11]


@pytest.mark.parametrize("adjustment", [0.0, 1.5])
def test_a_training_step_moves_the_weights_and_the_loss_by_the_formula(adjustment: float) -> None:
    network, batch = setting()
    found = method(step_size=0.5, adjustment=adjustment).loss(network.train(), batch, RNG)
    each = losses(batch)
    raised = np.zeros(6)
    raised[0] = each[:2].mean() + adjustment / np.sqrt(60)
    raised[2] = each[2] + adjustment / np.sqrt(9)
    raised[4] = each[3:].mean() + adjustment / np.sqrt(6)
    q = np.array([0.4, 0.0, 0.3, 0.2, 0.1, 0.0]) * np.exp(0.5 * raised)
    q /= q.sum()
    np.testing.assert_allclose(network.q.numpy(), q, rtol=1e-6)
    group = np.array([0, 0, 2, 4, 4])
    assert found["loss"].item() == pytest.approx((4 * q[group] * each).mean(), rel=1e-6)  # four groups have images


def test_validation_weighs_by_the_shares_of_the_training_images_and_keeps_the_weights() -> None:
    network, batch = setting()
    before = network.q.clone()
    found = method(step_size=0.5).loss(network.eval(), batch, RNG)
    assert torch.equal(network.q, before)
    weight = np.array([0.4 / 0.6, 0.4 / 0.6, 0.3 / 0.09, 0.1 / 0.06, 0.1 / 0.06])
    assert found["loss"].item() == pytest.approx((weight * losses(batch)).mean(), rel=1e-6)


def test_an_image_of_a_group_that_training_has_not_weighs_nothing() -> None:
    network, batch = setting()
    alone = Batch(batch.image[:1], torch.tensor([0]), code=torch.tensor([1]))
    assert method().loss(network.eval(), alone, RNG)["loss"] == 0


def test_with_uniform_weights_that_do_not_move_it_is_cross_entropy() -> None:
    network, batch = setting()
    network.q.copy_((network.size > 0) / 4)
    found = method(step_size=0.0).loss(network.train(), batch, RNG)
    torch.testing.assert_close(found["loss"], cross_entropy(batch.image[:, 0, 0], batch.label))


def test_the_loss_is_on_average_the_weighted_sum_of_the_groups_losses_as_drawn_in_training_or_as_they_come() -> None:
    sets = sets_of(0.9)
    fit = fit_of(SmallDRO(SmallDRO.Settings()), sets)
    fit.begin(0)
    network, dro = fit.plain, method(step_size=0.0)
    assert isinstance(network, Grouped)
    network.q.copy_(torch.tensor([0.1, 0.4, 0.0, 0.3, 0.2, 0.0]))
    batch = sets.train.batch(slice(None), dro.needs)
    each = cross_entropy(network(batch.image), batch.label, reduction="none")
    group = group_of(batch, 2)
    expected = sum(network.q[g] * each[group == g].mean() for g in (0, 1, 3, 4))
    frequency = balancing_weights(network, sets.seen(dro.needs))
    drawn = (frequency / frequency.sum() * network.weight_of(group, balanced=True) * each).sum()
    torch.testing.assert_close(drawn, expected)
    torch.testing.assert_close(dro.loss(network.eval(), batch, RNG)["loss"], expected)


def test_all_groups_are_drawn_equally_often() -> None:
    sets = sets_of(0.9)
    fit = fit_of(SmallDRO(SmallDRO.Settings()), sets)
    fit.begin(0)
    group = group_of(sets.train.batch(slice(None), fit.method.needs), 2)
    assert len(set(torch.bincount(group).tolist())) > 2
    drawn = torch.bincount(group[torch.cat([fit.order(epoch) for epoch in range(40)])], minlength=6) / (40 * 512)
    torch.testing.assert_close(drawn, torch.tensor([0.25, 0.25, 0, 0.25, 0.25, 0]), rtol=0, atol=0.015)


def test_weight_goes_to_the_group_that_stays_hard() -> None:
    network, batch = setting()
    for _ in range(200):
        method(step_size=0.2).loss(network.train(), batch, RNG)
    assert network.q.argmax() == 4  # its loss is 1.6, that of the others 1.3 and 0.3
    assert network.q[4] > 0.99
    assert network.q.sum() == pytest.approx(1)
    assert network.q[[1, 5]].tolist() == [0, 0]


def test_an_enormous_loss_leaves_finite_weights() -> None:
    network, batch = setting()
    huge = Batch(1e6 * batch.image, batch.label, code=batch.code)
    found = method(step_size=1.0).loss(network.train(), huge, RNG)
    assert network.q.isfinite().all()
    assert found["loss"].isfinite()


def test_a_minority_is_worth_as_much_as_its_majority() -> None:
    plain = deceived_accuracy(SmallERM(SmallERM.Settings()), 0.95)
    robust = deceived_accuracy(SmallDRO(SmallDRO.Settings()), 0.95)
    assert plain < 0.7
    assert robust > plain + 0.2


def test_without_a_minority_the_shortcut_stays() -> None:
    assert deceived_accuracy(SmallDRO(SmallDRO.Settings()), 1.0) < 0.3


def test_a_training_taken_up_after_any_epoch_ends_in_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_anywhere(lambda: SmallDRO(SmallDRO.Settings()), tmp_path)


def test_the_deployed_classifier_is_the_plain_one() -> None:
    network = method().build(Task("test_resnet", 3, 1, 28, 28))
    assert isinstance(network, Grouped)
    assert method().deploy(network) is network.classifier
