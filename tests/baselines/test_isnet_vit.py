"""An ISNet on a vision transformer: trained through attention, layer norm and GELU."""

import copy

import pytest
import torch
from torch import nn

from baselines.isnet import ISNet
from baselines.rrr import RRR
from benchmark.api import Batch, Method, Task
from benchmark.training.fit import build

TASK = Task("test_vit patch_size=7 depth=3", 3, 1, 28, 28)


def bars() -> Batch:
    """Nine images of three kinds of bars, each kind with its own mark in a corner."""
    rng = torch.Generator().manual_seed(0)
    image, label = torch.zeros(9, 1, 28, 28), torch.arange(9) % 3
    for row, k in enumerate(label.tolist()):
        image[row, 0, 8 + 4 * k : 11 + 4 * k, 6:22] = 0.5 + 0.5 * torch.rand(1, generator=rng)
    mask = nn.functional.max_pool2d(image, 3, 1, 1).ceil()
    for row, k in enumerate(label.tolist()):
        image[row, 0, 1:4, 2 + 9 * k : 5 + 9 * k] = 1.0
    return Batch(image, label, mask)


def isnet() -> ISNet:
    return ISNet(ISNet.Settings(heatmap_share=0.7, target="label"))


@pytest.mark.parametrize("method", [isnet(), RRR(RRR.Settings())])
def test_every_weight_receives_a_finite_gradient(method: Method) -> None:
    network = build(method, TASK, 0)
    method.loss(network, bars(), torch.Generator().manual_seed(0))["loss"].backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().max() > 0, name


def test_the_heatmap_loss_reaches_the_weights_of_the_attention() -> None:
    network = build(isnet(), TASK, 0)
    found = isnet().loss(network, bars(), torch.Generator())["heatmap_loss"]
    weights = [block.attn.qkv.weight for block in network.blocks]
    for gradient in torch.autograd.grad(found, weights):
        queries, keys, values = gradient.chunk(3)
        assert min(part.abs().max() for part in (queries, keys, values)) > 0


def test_gradient_of_the_heatmap_loss_is_that_of_finite_differences() -> None:
    """In float64, along a random direction in all weights."""
    network, batch = build(isnet(), TASK, 0).double(), bars()
    batch = Batch(batch.image.double(), batch.label, batch.mask.double())
    rng = torch.Generator().manual_seed(1)
    weights = list(network.parameters())
    direction = [torch.randn(w.shape, generator=rng, dtype=w.dtype) for w in weights]

    def loss(step: float) -> torch.Tensor:
        moved = copy.deepcopy(network)
        for weight, d in zip(moved.parameters(), direction, strict=True):
            weight.data.add_(d, alpha=step)
        return isnet().loss(moved, batch, torch.Generator())["heatmap_loss"].detach()

    found = torch.autograd.grad(
        isnet().loss(network, batch, torch.Generator())["heatmap_loss"], weights, allow_unused=True
    )
    slope = sum((g * d).sum() for g, d in zip(found, direction, strict=True) if g is not None)
    step = 1e-7
    assert slope.item() == pytest.approx(((loss(step) - loss(-step)) / (2 * step)).item(), rel=1e-4)


def test_a_few_steps_lower_the_heatmap_loss() -> None:
    method, batch = isnet(), bars()
    network = build(method, TASK, 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        terms = method.loss(network, batch, torch.Generator())
        optimizer.zero_grad()
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(terms["heatmap_loss"].item())
    assert losses[-1] < 0.5 * losses[0]


def test_validation_without_gradients_finds_the_same_loss() -> None:
    network, batch = build(isnet(), TASK, 0).eval(), bars()
    with torch.no_grad():
        validated = isnet().loss(network, batch, torch.Generator())["loss"]
    torch.testing.assert_close(validated, isnet().loss(network, batch, torch.Generator())["loss"])
