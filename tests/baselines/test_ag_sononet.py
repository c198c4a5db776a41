"""The gate in plain numpy, the normalisations in closed form, and the shape of the network."""

import numpy as np
import pytest
import torch
from torch import nn

from baselines.ag_sononet import AGSononet, Gate, Network, attention
from benchmark.api import Batch, Needs, Task

RNG = torch.Generator()


def built(size: int = 28, channels: int = 1, **options: object) -> Network:
    torch.manual_seed(0)
    network = AGSononet(AGSononet.Settings(**options)).build(Task("not a timm name", 3, channels, size, size))
    assert isinstance(network, Network)
    return network


def by_hand(score: np.ndarray, normalisation: str) -> np.ndarray:
    if normalisation == "softmax":
        return np.exp(score) / np.exp(score).sum()
    if normalisation == "sigmoid":
        return 1 / (1 + np.exp(-score)) / len(score)
    return (score - score.min()) / (score - score.min()).sum()


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        ("shift", [0.0, 0.25, 0.75]),
        ("softmax", [0.0420101, 0.1141952, 0.8437947]),
        ("sigmoid", [0.0896471, 0.1666667, 0.2935990]),
    ],
)
def test_attention_of_three_scores(normalisation: str, expected: list[float]) -> None:
    found = attention(torch.tensor([[-1.0, 0.0, 2.0]], dtype=torch.float64), normalisation)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("normalisation", ["shift", "softmax"])
def test_equal_scores_are_equal_attention_with_a_finite_gradient(normalisation: str) -> None:
    score = torch.full((2, 4), 0.3, requires_grad=True)
    found = attention(score, normalisation)  # type: ignore[arg-type]
    torch.testing.assert_close(found.detach(), torch.full((2, 4), 0.25))
    (gradient,) = torch.autograd.grad(found[0, 0], score)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("normalisation", ["shift", "softmax", "sigmoid"])
def test_a_gate_sums_places_by_the_attention_of_the_paper(normalisation: str) -> None:
    torch.manual_seed(1)
    gate = Gate(3, 4, normalisation).double()  # type: ignore[arg-type]
    x, signal = torch.rand(2, 3, 2, 5).double(), torch.rand(2, 4, 2, 5).double()
    found = gate(x, signal).detach().numpy()
    theta, phi, psi = (each.weight.detach().numpy()[:, :, 0, 0] for each in (gate.theta, gate.phi, gate.psi))
    for row in range(2):
        places, signals = x[row].numpy().reshape(3, 10), signal[row].numpy().reshape(4, 10)
        score = psi @ np.maximum(theta @ places + phi @ signals, 0) + gate.psi.bias.item()
        np.testing.assert_allclose(found[row], places @ by_hand(score[0], normalisation), rtol=1e-3)


def test_a_coarser_signal_is_spread_over_the_places() -> None:
    torch.manual_seed(1)
    gate = Gate(3, 4, "softmax")
    x, signal = torch.rand(2, 3, 4, 4), torch.rand(2, 4, 1, 1)
    torch.testing.assert_close(gate(x, signal), gate(x, signal.expand(2, 4, 4, 4)))


def test_the_stages_are_the_papers() -> None:
    network = built(224, 3)
    convolutions = [[m for m in stage if isinstance(m, nn.Conv2d)] for stage in network.stages]
    assert [len(stage) for stage in convolutions] == [3, 3, 3, 2, 2]
    assert [stage[-1].out_channels for stage in convolutions] == [8, 16, 32, 64, 64]
    assert network.head.in_features == 32 + 64 + 64
    assert [stage[-1].out_channels for stage in (s[:-2] for s in built(feature_scale=4).stages)] == [
        16,
        32,
        64,
        128,
        128,
    ]


@pytest.mark.parametrize(
    ("size", "sides"),
    [(224, [224, 112, 56, 28, 14]), (28, [28, 14, 7, 7, 7]), (13, [13] * 5), (64, [64, 32, 16, 8, 8])],
)
def test_no_pool_leaves_fewer_than_seven_pixels(size: int, sides: list[int]) -> None:
    network, features = built(size).eval(), [torch.zeros(1, 1, size, size)]
    with torch.no_grad():
        for stage in network.stages:
            features.append(stage(features[-1]))
    assert [each.shape[-1] for each in features[1:]] == sides


def test_logits_read_both_gated_maps_and_the_mean_of_the_last() -> None:
    network, image = built().eval(), torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        third = image
        for stage in network.stages[:3]:
            third = stage(third)
        fourth = network.stages[3](third)
        fifth = network.stages[4](fourth)
        gated = [network.gates[0](third, fifth), network.gates[1](fourth, fifth), fifth.mean((2, 3))]
        expected = network.head.bias + sum(
            part @ weight.T for part, weight in zip(gated, network.head.weight.split([32, 64, 64], 1), strict=True)
        )
        torch.testing.assert_close(network(image), expected)


@pytest.mark.parametrize("normalisation", ["shift", "softmax", "sigmoid"])
@pytest.mark.parametrize("black", [True, False])
def test_every_weight_has_a_finite_gradient(normalisation: str, black: bool) -> None:
    network = built(normalisation=normalisation).train()
    image = torch.zeros(4, 1, 28, 28) if black else torch.rand(4, 1, 28, 28)
    batch = Batch(image, torch.tensor([0, 0, 0, 0]))
    AGSononet(AGSononet.Settings()).loss(network, batch, RNG)["loss"].backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


def test_it_is_told_nothing_but_labels() -> None:
    assert AGSononet.needs == Needs()


def test_it_can_be_exported() -> None:
    network, image = built().eval(), torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(network, (image,)).module()(image), network(image))
