"""The image that the network meets, by hand, and what is left of a mark's correlation with the label."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.bg_swap import BackgroundSwap
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier


def method(**options: object) -> BackgroundSwap:
    return BackgroundSwap(BackgroundSwap.Settings(**options))


class Recorder(nn.Module):
    """A classifier that keeps what it was given."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return x.flatten(1)[:, : self.classes]


def met(batch: Batch, seed: int = 0, **options: object) -> Tensor:
    network = Recorder(10)
    method(**options).loss(network, batch, torch.Generator().manual_seed(seed))
    return network.seen


def pair() -> Batch:
    """Objects of 1.0 on the left before 0.2, and of 0.5 on the right before 0.6."""
    image = torch.full((2, 1, 4, 4), 0.2)
    image[1] = 0.6
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, :, 0], mask[1, :, :, 3] = 1, 1
    image[0, :, :, 0], image[1, :, :, 3] = 1.0, 0.5
    return Batch(image, torch.tensor([0, 1]), mask)


def test_each_object_stands_before_the_background_of_the_other_whose_own_object_is_filled() -> None:
    expected = torch.full((2, 1, 4, 4), 0.6)
    expected[0, :, :, 0] = 1.0
    expected[1] = 0.2
    expected[1, :, :, 3] = 0.5
    torch.testing.assert_close(met(pair()), expected)


@pytest.mark.parametrize(("kind", "first", "second"), [("zero", 0, 0), ("mean", 0.4, 0.4), ("blur", 0.2, 0.6)])
def test_blank_backgrounds(kind: str, first: float, second: float) -> None:
    expected = torch.full((2, 1, 4, 4), float(first))
    expected[1] = second
    expected[0, :, :, 0], expected[1, :, :, 3] = 1.0, 0.5
    torch.testing.assert_close(met(pair(), kind=kind), expected)


def test_probability_0_is_erm() -> None:
    torch.manual_seed(3)
    network, batch = create_classifier(Task("test_resnet", 2, 1, 28, 28)).eval(), marked(2, 8)
    found = method(probability=0).loss(network, batch, torch.Generator())["loss"]
    assert torch.equal(found, cross_entropy(network(batch.image), batch.label))


def marked(classes: int, count: int, size: int = 28) -> Batch:
    """The background is a flat grey that tells the class."""
    label = torch.arange(count) % classes
    mask = torch.zeros(count, 1, size, size)
    mask[:, :, 0, 0] = 1
    image = (label / classes).view(-1, 1, 1, 1).expand(count, 1, size, size) * (1 - mask) + mask
    return Batch(image, label, mask)


@pytest.mark.parametrize(("probability", "share"), [(1.0, 0.099), (0.5, 0.55)])
def test_how_often_an_image_still_shows_the_mark_of_its_class(probability: float, share: float) -> None:
    batch = marked(10, 1000, size=4)
    seen = met(batch, probability=probability)
    assert torch.equal(seen[:, 0, 0, 0], torch.ones(1000))
    assert ((seen[:, 0, 3, 3] - batch.label / 10).abs() < 1e-5).double().mean().item() == pytest.approx(share, abs=0.04)


def test_equal_streams_give_equal_images_and_others_give_others() -> None:
    batch = marked(10, 50, size=4)
    assert torch.equal(met(batch, seed=1), met(batch, seed=1))
    assert not torch.equal(met(batch, seed=1), met(batch, seed=2))


def test_loss_is_the_cross_entropy_of_the_objects_label() -> None:
    batch, network = pair(), Recorder(2)
    found = method().loss(network, batch, torch.Generator())["loss"]
    first, second = network.seen.flatten(1)[:, :2]  # logits (1, 0.6) and (0.2, 0.2)
    by_hand = (torch.log(1 + torch.exp(first[1] - first[0])) + torch.log(1 + torch.exp(second[0] - second[1]))) / 2
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("foreground", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["other", "zero", "mean", "blur"])
def test_masks_of_one_kind_give_finite_gradients_and_leave_images_alone(foreground: float, kind: str) -> None:
    torch.manual_seed(3)
    network = create_classifier(Task("test_resnet", 2, 3, 28, 28))
    image = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    batch = Batch(image.clone(), torch.zeros(3, dtype=torch.int64), torch.full((3, 1, 28, 28), foreground))
    method(kind=kind).loss(network, batch, torch.Generator())["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())
    assert torch.equal(batch.image, image)
