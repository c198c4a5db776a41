"""Random networks: whatever graph convolutions, norms, activations, sums, joins and pools form, the rules hold."""

from dataclasses import dataclass

import torch
from captum.attr import InputXGradient
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from isnet import lrp
from isnet.lrp import oracle

CHANNELS, SIZE, CLASSES = 3, 6, 4
UNARY = ("conv", "relu", "conv relu", "conv norm relu", "pool", "average", "in-place")
BINARY = ("add", "add in place", "cat")
SMOOTH = ("silu", "gelu", "gate", "product", "leaky", "layer norm", "view")


@dataclass(frozen=True)
class Layer:
    """One operation of a graph: what it does, and from which earlier tensors (counted from the end)."""

    kind: str
    first: int
    second: int


def layers(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Layer]]:
    back = st.integers(0, 4)
    return st.lists(st.builds(Layer, st.sampled_from(kinds), back, back), min_size=1, max_size=7)


class Graph(nn.Module):
    """Runs the layers; every tensor has the same shape, and the classifier reads the last one."""

    def __init__(self, program: list[Layer], seed: int, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.program = program
        self.convs = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=bias) for _ in program)
        self.joins = nn.ModuleList(nn.Conv2d(2 * CHANNELS, CHANNELS, 1, bias=bias) for _ in program)
        self.norms = nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in program)
        self.fc = nn.Linear(CHANNELS, CLASSES, bias=bias)
        for norm in self.norms:
            for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
                tensor.normal_()
            norm.running_var.uniform_(0.5, 2.0)
        self.double().eval()

    def step(self, number: int, layer: Layer, a: Tensor, b: Tensor) -> Tensor:
        conv, norm, join = self.convs[number], self.norms[number], self.joins[number]
        match layer.kind:
            case "conv":
                return conv(a)
            case "relu":
                return a.relu()
            case "conv relu":
                return nn.functional.relu(conv(a), inplace=True)
            case "conv norm relu":
                return norm(conv(a)).relu()
            case "pool":
                return nn.functional.max_pool2d(a, 3, 1, 1)
            case "average":
                return nn.functional.avg_pool2d(a, 3, 1, 1)
            case "in-place":
                return a.clone().relu_()
            case "add":
                return a + b
            case "add in place":
                c = a.clone()
                c += b
                return c
            case "cat":
                return join(torch.cat([a, b], 1))
            case "silu":
                return nn.functional.silu(norm(conv(a)))
            case "gelu":
                return nn.functional.gelu(conv(a))
            case "gate":
                return a * conv(b).mean((2, 3), keepdim=True).sigmoid()
            case "product":
                return conv(a) * b
            case "leaky":
                return nn.functional.leaky_relu(conv(a), 0.7)
            case "layer norm":
                return nn.functional.layer_norm(a.permute(0, 2, 3, 1), (CHANNELS,)).permute(0, 3, 1, 2)
            case "view":
                return a.flatten(2).transpose(1, 2).reshape(-1, SIZE, SIZE, CHANNELS).permute(0, 3, 1, 2)
        raise AssertionError(layer.kind)

    def forward(self, x: Tensor) -> Tensor:
        tensors = [x]
        for number, layer in enumerate(self.program):
            a, b = (tensors[-1 - index % len(tensors)] for index in (layer.first, layer.second))
            tensors.append(self.step(number, layer, a, b))
        return self.fc(tensors[-1].mean((2, 3)))


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, CHANNELS, SIZE, SIZE, generator=rng, dtype=torch.float64)
    return x, torch.randint(0, CLASSES, (count,), generator=rng)


def close(found: Tensor, expected: Tensor) -> None:
    scale = expected.abs().max().item() or 1.0
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-9)


seeds = st.integers(0, 10_000)
few = settings(max_examples=25, deadline=None, derandomize=True)


@few
@given(layers(UNARY + BINARY + SMOOTH), seeds, st.sampled_from([0.0, 1e-2, 1.0]), st.booleans())
def test_engine_equals_oracle(program: list[Layer], seed: int, eps: float, training: bool) -> None:
    net, (x, target) = Graph(program, seed).train(training), batch(seed)
    close(lrp.explain(net, x, target, eps=eps), oracle.relevance(net, x, target, eps=eps))


@few
@given(layers(UNARY + BINARY + SMOOTH), seeds, st.floats(-5, 5))
def test_relevance_scales_with_the_logit(program: list[Layer], seed: int, factor: float) -> None:
    net, (x, target) = Graph(program, seed), batch(seed)
    weights = nn.functional.one_hot(target, CLASSES).double()
    close(lrp.explain(net, x, factor * weights), factor * lrp.explain(net, x, target))


@few
@given(layers(UNARY + BINARY + SMOOTH), seeds, st.permutations(range(3)))
def test_images_do_not_know_of_each_other(program: list[Layer], seed: int, order: list[int]) -> None:
    net, (x, target) = Graph(program, seed), batch(seed)
    whole = lrp.explain(net, x, target)
    close(lrp.explain(net, x[order], target[order]), whole[order])
    close(lrp.explain(net, x[:1], target[:1]), whole[:1])


@few
@given(layers(UNARY + BINARY + SMOOTH), seeds, st.booleans())
def test_many_maps_at_once_are_those_of_one_at_a_time(program: list[Layer], seed: int, training: bool) -> None:
    net, (x, _) = Graph(program, seed).train(training), batch(seed)
    classes = torch.tensor([[0, 3], [1, 1], [2, 0]])
    together = lrp.explain(net, x, classes)
    assert together.shape == (3, 2, *x.shape[1:])
    for number in range(2):
        close(together[:, number], lrp.explain(net, x, classes[:, number]))


@few
@given(layers(("conv", "relu", "conv relu", "pool", "average", *BINARY)), seeds)
def test_without_bias_and_epsilon_it_is_gradient_times_input_and_nothing_is_lost(
    program: list[Layer], seed: int
) -> None:
    net, (x, target) = Graph(program, seed, bias=False), batch(seed)
    expected = InputXGradient(net).attribute(x.clone().requires_grad_(), target=target).detach()
    for eps in (0.0, 1e-16):
        found = lrp.explain(net, x, target, eps=eps)
        close(found, expected)
    logits = net(x).gather(1, target[:, None]).flatten().detach()
    torch.testing.assert_close(found.sum((1, 2, 3)), logits, rtol=1e-6, atol=1e-9)
