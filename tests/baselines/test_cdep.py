"""Contextual decomposition by hand and against a second implementation in numpy, and the penalty on it."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, relu

from baselines.cdep import CDEP
from baselines.contextual import decompose
from benchmark.api import Batch, Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError

RNG = torch.Generator()


def method(**options: object) -> CDEP:
    return CDEP(CDEP.Settings(**options))


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def batch_of(count: int = 4, size: int = 8, channels: int = 1) -> Batch:
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(count, channels, size, size, generator=rng, dtype=torch.float64)
    mask = (torch.rand(count, 1, size, size, generator=rng) > 0.6).double()
    return Batch(image, torch.arange(count) % 3, mask)


def by_hand() -> tuple[nn.Module, Batch]:
    """Foreground pixel 1, background pixel 2; W x = (2 - 2, 6) = foreground (2, 0) + background (-2, 6)."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)).double()
    network[1].weight.data = torch.tensor([[2.0, -1.0], [0.0, 3.0]]).double()
    network[1].bias.data = torch.tensor([6.0, -5.0]).double()
    image, mask = torch.tensor([[[[1.0, 2.0]]]]).double(), torch.tensor([[[[1.0, 0.0]]]]).double()
    return network, Batch(image, torch.tensor([0]), mask)


def test_a_linear_layer_shares_its_constant_by_size() -> None:
    network, batch = by_hand()
    beta, logits = decompose(network, (1 - batch.mask) * batch.image, batch.image)
    # Shares of the constants (6, -5): 2 / (2 + 2) and 6 / (6 + 0).
    assert beta[0].tolist() == pytest.approx([-2 + 3, 6 - 5], abs=1e-5)
    assert logits[0].tolist() == [6, 1]


def test_both_scores_by_hand() -> None:
    network, batch = by_hand()
    classification = -math.log(math.exp(6) / (math.exp(6) + math.exp(1)))
    softmax = (1 / (1 + math.exp(4)) + 1 / (1 + math.exp(-1))) / 2  # beta - gamma is (1 - 5, 1 - 0)
    found = method(penalty_weight=3.0, score="softmax").loss(network, batch, RNG)
    assert found["classification_loss"].item() == pytest.approx(classification)
    assert found["contribution_penalty"].item() == pytest.approx(softmax, abs=1e-5)
    assert found["loss"].item() == pytest.approx(classification + 3 * softmax, abs=1e-5)
    assert method().loss(network, batch, RNG)["contribution_penalty"].item() == pytest.approx(2)


class Layers(nn.Module):
    """All rules once: 8 px -> pooled with overlap to 3 px -> a residual sum -> averaged -> 3 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.act = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.pool, self.second, self.head = nn.MaxPool2d(2, 2), nn.Conv2d(4, 4, 1), nn.Linear(8, 3)
        for index, each in enumerate(self.parameters()):
            each.data = torch.randn(each.shape, generator=torch.Generator().manual_seed(index))
        self.norm.running_mean, self.norm.running_var = draw(4), draw(4).square() + 0.5
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        a = self.pool(self.act(self.norm(self.first(x))))
        b = relu(self.second(a)) + a
        return self.head(torch.cat([b, a], 1).mean((2, 3)).flatten(1))


Pair = tuple[np.ndarray, np.ndarray]


def shared(beta: np.ndarray, gamma: np.ndarray, constant: np.ndarray) -> Pair:
    total = np.abs(beta) + np.abs(gamma)
    share = np.divide(np.abs(beta), total, out=np.zeros_like(total), where=total > 0)
    return beta + share * constant, gamma + (1 - share) * constant


def rectified(beta: np.ndarray, gamma: np.ndarray) -> Pair:
    return np.maximum(beta, 0), np.maximum(beta + gamma, 0) - np.maximum(beta, 0)


def pooled(beta: np.ndarray, gamma: np.ndarray) -> Pair:
    out = [np.zeros((4, 3, 3)), np.zeros((4, 3, 3))]
    for c, i, j in np.ndindex(4, 3, 3):
        window = (c, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2))
        place = np.argmax((beta + gamma)[window])
        out[0][c, i, j], out[1][c, i, j] = beta[window].flat[place], gamma[window].flat[place]
    return out[0], out[1]


def convolved(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    k, size = weight.shape[2], image.shape[1] - weight.shape[2] + 1
    patches = np.array([[image[:, i : i + k, j : j + k] for j in range(size)] for i in range(size)])
    return np.einsum("ijckl,ockl->oij", patches, weight)


def second_implementation(network: Layers, beta: np.ndarray, gamma: np.ndarray) -> Pair:
    """Both parts side by side, ``[1, 8, 8]``, as the paper writes them."""
    w = {name: each.detach().numpy() for name, each in network.state_dict().items()}
    tall = {name: each[:, None, None] for name, each in w.items() if each.ndim == 1}
    beta, gamma = shared(*(convolved(each, w["first.weight"]) for each in (beta, gamma)), tall["first.bias"])
    scale = tall["norm.weight"] / np.sqrt(tall["norm.running_var"] + 1e-5)
    shift = tall["norm.bias"] - tall["norm.running_mean"] * scale
    beta, gamma = pooled(*rectified(*shared(scale * beta, scale * gamma, shift)))
    further = rectified(*shared(*(convolved(e, w["second.weight"]) for e in (beta, gamma)), tall["second.bias"]))
    ends = [np.concatenate([b + a, a]).mean((1, 2)) for b, a in zip(further, (beta, gamma), strict=True)]
    return shared(*(w["head.weight"] @ end for end in ends), w["head.bias"])


def test_a_network_of_all_rules_is_decomposed_as_by_a_second_implementation() -> None:
    network, batch = Layers().eval(), batch_of()
    part = (1 - batch.mask) * batch.image
    beta, logits = decompose(network, part, batch.image)
    for row in range(4):
        expected = second_implementation(network, part[row].numpy(), (batch.image - part)[row].numpy())
        np.testing.assert_allclose(beta[row].detach(), expected[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose((logits - beta)[row].detach(), expected[1], rtol=1e-4, atol=1e-5)


def test_overlapping_windows_of_a_max_pooling_take_the_part_from_the_largest_whole() -> None:
    x = torch.tensor([[[[1.0, 5.0, 2.0]]]])
    part = torch.tensor([[[[1.0, 2.0, 2.0]]]])  # of the 5, 3 are the rest's
    beta, whole = decompose(nn.MaxPool2d((1, 2), stride=1), part, x)
    assert whole.flatten().tolist() == [5, 5]
    assert beta.flatten().tolist() == [2, 2]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backbone", ["test_resnet", "resnet18", "densenet121"])
def test_both_parts_add_up_to_the_ordinary_output(backbone: str, training: bool) -> None:
    torch.manual_seed(3)
    network = create_classifier(Task(backbone, 5, 3, 64, 64)).double().train(training)
    plain, batch = copy.deepcopy(network), batch_of(3, 64, channels=3)
    _, logits = decompose(network, (1 - batch.mask) * batch.image, batch.image)
    torch.testing.assert_close(logits, plain(batch.image), rtol=1e-9, atol=1e-9)
    for name, expected in plain.named_buffers():  # running statistics
        torch.testing.assert_close(network.get_buffer(name), expected, rtol=1e-9, atol=1e-9)


def test_without_a_penalty_the_gradient_is_that_of_the_plain_classifier() -> None:
    torch.manual_seed(3)
    network, batch = create_classifier(Task("test_resnet", 3, 1, 28, 28)).double(), batch_of(size=28)
    plain = copy.deepcopy(network)
    method(penalty_weight=0).loss(network, batch, RNG)["loss"].backward()
    cross_entropy(plain(batch.image), batch.label).backward()
    for found, expected in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-9, atol=1e-12)


def test_an_image_without_background_has_no_contribution_and_one_of_background_only_has_all() -> None:
    network, image = Layers().eval(), batch_of().image
    assert decompose(network, torch.zeros_like(image), image)[0].abs().max() == 0
    beta, logits = decompose(network, image, image)
    torch.testing.assert_close(beta, logits, rtol=1e-4, atol=1e-4)


def test_batch_norm_in_training_is_linear_by_the_statistics_of_the_batch() -> None:
    norm = nn.BatchNorm1d(1).double().train()
    norm.weight.data, norm.bias.data = torch.tensor([2.0]).double(), torch.tensor([3.0]).double()
    x, part = torch.tensor([[1.0], [5.0]]).double(), torch.tensor([[0.25], [4.0]]).double()
    beta, whole = decompose(norm, part, x)
    scale = 2 / math.sqrt(4 + 1e-5)  # mean 3, variance 4
    shift = 3 - 3 * scale
    assert whole.flatten().tolist() == pytest.approx([scale + shift, 5 * scale + shift])
    assert beta.flatten().tolist() == pytest.approx([0.25 * (scale + shift), 4 * scale + 0.8 * shift], abs=1e-5)


def test_no_contribution_changes_through_another_image() -> None:
    network, batch = Layers().train(), batch_of()
    x = batch.image.clone().requires_grad_()
    beta, logits = decompose(network, (1 - batch.mask) * x, x)
    (of_part,) = torch.autograd.grad(beta[0].sum(), x, retain_graph=True)
    (of_whole,) = torch.autograd.grad(logits[0].sum(), x)
    assert of_part[0].abs().max() > 0
    assert of_whole[1:].abs().max() > 0  # the ordinary output does, through the statistics


def test_training_on_the_penalty_takes_the_background_out_of_the_logits() -> None:
    """A linear classifier that hangs on the mark alone: gradient steps must move its weight there, not elsewhere."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    network[1].weight.data = torch.tensor([[1.0, 2.0], [0.0, -2.0]])
    image, mask = torch.ones(4, 1, 1, 2), torch.tensor([1.0, 0.0]).expand(4, 1, 1, 2)
    batch = Batch(image, torch.zeros(4, dtype=torch.int64), mask)
    for _ in range(50):
        network.zero_grad()
        method(score="absolute").loss(network, batch, RNG)["contribution_penalty"].backward()
        network[1].weight.data -= 0.04 * network[1].weight.grad
    assert network[1].weight[:, 1].abs().max() < 0.05
    assert network[1].weight[:, 0].tolist() == [1.0, 0.0]


def test_dropout_drops_the_same_units_of_both_parts() -> None:
    image = torch.rand(2, 1, 8, 8)
    beta, whole = decompose(nn.Dropout(0.5), image, image)
    assert torch.equal(beta, whole)
    assert 0 < (whole == 0).double().mean() < 1


@pytest.mark.parametrize("score", ["softmax", "absolute"])
@pytest.mark.parametrize("foreground", [0.0, 1.0])
def test_masks_of_one_kind_give_finite_gradients(foreground: float, score: str) -> None:
    torch.manual_seed(3)
    network = create_classifier(Task("test_resnet", 2, 3, 28, 28))
    image = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    batch = Batch(image, torch.zeros(3, dtype=torch.int64), torch.full((3, 1, 28, 28), foreground))
    method(score=score).loss(network, batch, RNG)["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_a_black_image_gives_finite_gradients() -> None:
    torch.manual_seed(3)
    network = create_classifier(Task("test_resnet", 2, 1, 28, 28))
    batch = Batch(torch.zeros(2, 1, 28, 28), torch.tensor([0, 1]), torch.zeros(2, 1, 28, 28))
    method().loss(network, batch, RNG)["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_on_the_path_the_background_is_that_of_the_point() -> None:
    network, batch = by_hand()
    black = Batch(batch.image.expand(64, 1, 1, 2), torch.zeros(64, dtype=torch.int64), batch.mask.expand(64, 1, 1, 2))
    network[1].bias.data.zero_()
    at_image = method(score="absolute").loss(network, black, RNG)["contribution_penalty"]
    on_path = method(score="absolute", path="zero").loss(network, black, torch.Generator().manual_seed(0))
    assert at_image.item() == 8  # |-2| + |6|
    assert on_path["contribution_penalty"].item() == pytest.approx(4, abs=0.8)  # times a uniform alpha


class Inhibited(nn.Module):
    """One unit sees the object (left pixel) unless the mark (right pixel) switches it off."""

    def __init__(self) -> None:
        super().__init__()
        self.unit, self.head = nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False)
        self.unit.weight.data, self.head.weight.data = torch.tensor([[1.0, -3.0]]), torch.tensor([[0.0], [9.0]])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(relu(self.unit(x.flatten(1))))


@pytest.mark.parametrize("path", ["none", "zero"])
def test_a_mark_that_switches_the_objects_unit_off_contributes_nothing_anywhere(path: str) -> None:
    """A hole of the method, not of its code: ReLU(beta) is 0 and the interaction counts as the object's."""
    network, image = Inhibited(), torch.ones(64, 1, 1, 2)
    mask = torch.tensor([1.0, 0.0]).expand(64, 1, 1, 2)
    assert network(image * mask)[0, 1] - network(image)[0, 1] == 9  # what the mark does to the logit
    batch = Batch(image, torch.zeros(64, dtype=torch.int64), mask)
    found = method(score="absolute", path=path).loss(network, batch, torch.Generator().manual_seed(0))
    assert found["contribution_penalty"] == 0


def test_a_mark_that_speaks_against_other_classes_lowers_the_softmax_score() -> None:
    network, batch = by_hand()
    network[1].bias.data.zero_()
    network[1].weight.data = torch.tensor([[9.0, 0.0], [9.0, -20.0]]).double()  # beta (0, -40), gamma (9, 9)
    found = method(score="softmax").loss(network, batch, RNG)["contribution_penalty"]
    assert found.item() == pytest.approx(0, abs=1e-4)
    assert method().loss(network, batch, RNG)["contribution_penalty"].item() == 40


class Calls(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sigmoid", torch.sigmoid),
        ("mul", lambda x: x * x),
        ("constant", lambda x: x + 1),
        ("constant", lambda x: x + torch.ones(4, 1, 8, 8)),
        ("mean", lambda x: x.mean(0)),
        ("cat", lambda x: torch.cat([x, torch.zeros(4, 1, 8, 8)], 1)),
        ("cat", lambda x: torch.cat([x, x])),
        ("indices", lambda x: max_pool2d(x, 2, return_indices=True)[0]),
        ("hides", lambda _: torch.zeros(4, 3)),
    ],
)
def test_what_has_no_rule_is_refused_by_name(name: str, function: object) -> None:
    image = torch.rand(2, 1, 8, 8)
    with pytest.raises(BenchmarkError, match=f"no rule.*{name}"):
        decompose(Calls(function), image, image)


def test_a_backbone_without_rules_is_refused_before_training() -> None:
    with pytest.raises(BenchmarkError, match=r"'sigmoid'.*Choose another backbone"):
        method().build(Task("test_byobnet", 3, 1, 64, 64))
    assert method().build(Task("test_resnet", 3, 1, 28, 28)).training


def test_images_are_left_as_they_are() -> None:
    network, batch = Layers().train(), batch_of()
    image, mask = batch.image.clone(), batch.mask.clone()
    method(path="other").loss(network, batch, RNG)
    assert torch.equal(batch.image, image)
    assert torch.equal(batch.mask, mask)
