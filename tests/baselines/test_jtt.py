"""Which images count as errors, how often they are drawn, what is trained when, and a minority that is found."""

import math
from pathlib import Path

import pytest
import torch
from minority import Row, Small, accuracy, assert_resumes_anywhere, deceived_accuracy, deployed, fit_of, sets_of
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.jtt import JTT, Pair
from benchmark.api import Batch, Task

RNG = torch.Generator()


class SmallJTT(JTT, Small):
    pass


class SmallERM(ERM, Small):
    pass


def small(**options: object) -> SmallJTT:
    return SmallJTT(SmallJTT.Settings(**options))


def setting() -> tuple[Pair, Batch]:
    """The first network is wrong about the second image, the second network about none."""
    first, second = [[2.0, 0.0], [1.0, 0.0]], [[0.5, 0.0], [0.0, 1.0]]
    image = torch.stack([torch.tensor(first), torch.tensor(second)], 1)[:, None]
    return Pair(Row(0), Row(1)), Batch(image, torch.tensor([0, 1]))


def test_validation_weighs_the_first_networks_errors() -> None:
    network, batch = setting()
    found = small(upweight=5.0).loss(network.eval(), batch, RNG)
    right, wrong = math.log(1 + math.exp(-0.5)), math.log(1 + math.exp(-1))
    assert found["loss"].item() == pytest.approx((right + 5 * wrong) / 6, rel=1e-6)
    assert found["classification_loss"].item() == pytest.approx((right + wrong) / 2, rel=1e-6)


def test_training_leaves_the_weighing_to_the_draws() -> None:
    network, batch = setting()
    found = small(upweight=5.0).loss(network.train(), batch, RNG)
    torch.testing.assert_close(found["loss"], cross_entropy(batch.image[:, 0, 1], batch.label))


def test_the_identification_loss_is_the_first_networks_cross_entropy() -> None:
    network, batch = setting()
    found = small().identification_loss(network.train(), batch, RNG)
    torch.testing.assert_close(found["loss"], cross_entropy(batch.image[:, 0, 0], batch.label))


@pytest.mark.parametrize(("epochs", "share", "first"), [(10, 0.2, 2), (300, 0.2, 60), (3, 0.1, 1), (10, 1.0, 10)])
def test_the_first_training_is_a_share_of_the_second_and_never_nothing(epochs: int, share: float, first: int) -> None:
    assert [phase.epochs for phase in small(share=share).phases(epochs)] == [first, epochs]


def test_two_networks_start_from_different_weights_and_each_phase_trains_its_own() -> None:
    network = small().build(Task("none", 2, 1, 4, 4))
    assert isinstance(network, Pair)
    assert not torch.equal(network.first[1].weight, network.second[1].weight)
    trained = [set(phase.trained(network)) for phase in small().phases(5) if phase.trained]
    assert trained == [set(network.first.parameters()), set(network.second.parameters())]


def test_the_first_network_is_frozen_while_the_second_trains_and_the_second_waits_for_its_phase() -> None:
    fit = fit_of(small(share=0.25), sets_of(0.9))
    start = {name: value.clone() for name, value in fit.plain.state_dict().items()}
    seen: list[dict[str, torch.Tensor]] = []
    fit.run(lambda _: seen.append({name: value.clone() for name, value in fit.plain.state_dict().items()}))
    for name in start:
        mine, other = (seen[1], start) if name.startswith("first.") else (seen[-1], seen[1])
        assert not torch.equal(mine[name], other[name])
        if name.startswith("second."):
            assert torch.equal(seen[1][name], start[name])
        else:
            assert torch.equal(seen[2][name], seen[-1][name])


def test_errors_are_the_minority_and_are_drawn_as_much_more_often_as_asked() -> None:
    sets = sets_of(0.9)
    fit = fit_of(small(share=0.25, upweight=7.0), sets)
    fit.run(lambda _: None)
    minority = sets.train.code != sets.train.label
    assert fit.draw is not None
    assert set(fit.draw.tolist()) == {1.0, 7.0}
    wrong = fit.draw == 7
    assert (wrong & minority).sum() > 0.9 * minority.sum()
    assert (wrong & ~minority).sum() == 0
    drawn = torch.bincount(torch.cat([fit.order(epoch) for epoch in range(60)]), minlength=512).double()
    assert drawn[wrong].mean() / drawn[~wrong].mean() == pytest.approx(7, rel=0.05)


def test_without_errors_every_image_is_drawn_alike() -> None:
    fit = fit_of(small(), sets_of(1.0))
    state = fit.run(lambda _: None)
    assert fit.draw is not None
    assert set(fit.draw.tolist()) == {1.0}
    assert accuracy(deployed(fit, state), 0.0) < 0.3  # as erm: nothing is known against the shortcut


def test_the_second_network_learns_from_the_minority() -> None:
    plain = deceived_accuracy(SmallERM(SmallERM.Settings()), 0.95)
    twice = deceived_accuracy(small(share=0.25), 0.95)
    assert plain < 0.7
    assert twice > plain + 0.2


def test_a_training_taken_up_after_any_epoch_ends_in_the_same_bits(tmp_path: Path) -> None:
    assert_resumes_anywhere(small, tmp_path)


def test_the_second_network_is_deployed() -> None:
    network, batch = setting()
    assert torch.equal(small().deploy(network)(batch.image), batch.image[:, 0, 1])
