"""Other libraries, where they are right: chains of convolutions, ReLUs, max pools and linear layers.

On sums, functional calls, reused modules and unmerged batch norms they are not, so no network here has those. BOUND is
about ten times the largest difference measured, relative to the map's largest entry: 2e-13 with both.
"""

import pytest
import torch
from captum.attr import LRP, InputXGradient
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn

from isnet import lrp
from isnet.lrp import oracle

BOUND = 2e-12
EXACT = 1e-16  # stands for an epsilon of 0, which both libraries divide by


def doubles(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class VGG(nn.Module):
    """Two stages and two linear layers; captum has no rule for a Flatten module, hence the function."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        torch.manual_seed(0)

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU()]

        stages = [*block(2, 6), nn.MaxPool2d(2), *block(6, 8), *block(8, 8), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*stages)
        self.classifier = nn.Sequential(nn.Linear(32, 10), nn.ReLU(), nn.Linear(10, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))

    def with_next(self) -> list[tuple[nn.Module, nn.Module | None]]:
        """Each layer with the one behind it."""
        chain = [*self.features, *self.classifier]
        return list(zip(chain, [*chain[1:], None], strict=True))


def vgg(norm: bool = False) -> VGG:
    net = VGG(norm)
    for number, module in enumerate(net.features):
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.copy_(doubles(*tensor.shape, seed=number))
            module.running_var.uniform_(0.5, 2.0)
    return net.double().eval()


def batch() -> tuple[Tensor, Tensor]:
    return doubles(3, 2, 8, 8, seed=1), torch.tensor([0, 3, 1])


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("eps", [0.0, 1e-2, 1.0])
def test_captum_lrp(eps: float, norm: bool) -> None:
    net, (x, target) = vgg(norm), batch()
    expected = lrp.explain(net, x, target, eps=eps)
    for module, following in net.with_next():
        if not isinstance(module, nn.ReLU):
            module.rule = EpsilonRule(epsilon=eps or EXACT if isinstance(following, nn.ReLU) else EXACT)
    found = LRP(net).attribute(x.clone().requires_grad_(), target=target).detach()
    assert oracle.difference(found, expected) < BOUND


@pytest.mark.parametrize("eps", [0.0, 1e-2, 1.0])
def test_zennit_epsilon(eps: float) -> None:
    pytest.importorskip("zennit")
    from zennit.attribution import Gradient
    from zennit.composites import NameMapComposite
    from zennit.rules import Epsilon, Pass

    net, (x, target) = vgg(), batch()
    names = {module: name for name, module in net.named_modules()}
    rules = []
    for module, following in net.with_next():
        if isinstance(module, nn.ReLU):
            rules.append(([names[module]], Pass()))
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            stabiliser = eps or EXACT if isinstance(following, nn.ReLU) else EXACT
            rules.append(([names[module]], Epsilon(epsilon=stabiliser)))
    chosen = nn.functional.one_hot(target, 4).double()
    with Gradient(net, NameMapComposite(rules)) as attributor:
        _, found = attributor(x.clone(), lambda logits: logits.detach() * chosen)
    assert oracle.difference(found.detach(), lrp.explain(net, x, target, eps=eps)) < BOUND


@pytest.mark.parametrize("norm", [False, True])
def test_captum_input_x_gradient_is_epsilon_0(norm: bool) -> None:
    net, (x, target) = vgg(norm), batch()
    expected = InputXGradient(net).attribute(x.clone().requires_grad_(), target=target).detach()
    assert oracle.difference(lrp.explain(net, x, target, eps=0.0), expected) < 1e-14
    assert oracle.difference(oracle.relevance(net, x, target, eps=0.0), expected) < 1e-14
