"""Rules other than epsilon: against dense algebra on contributions, zennit, captum, and finite differences."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from networks import images, residual
from torch import Tensor, nn
from torch.func import jacrev
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonGammaBox, EpsilonPlus, EpsilonPlusFlat
from zennit.core import Composite as ZennitComposite

from isnet import lrp
from isnet.lrp.composites import COMPOSITES, AlphaBeta, Composite, Epsilon, Gamma

RULES = {
    "epsilon": Epsilon(),
    "zplus": AlphaBeta(1.0, 0.0),
    "alpha2_beta1": AlphaBeta(2.0, 1.0),
    "gamma": Gamma(0.25),
}


def centred(count: int = 2, size: int = 6) -> Tensor:
    return images(count, size=size) - 0.4


def small_net(seed: int = 0) -> nn.Sequential:
    """Biases, a norm with gammas of both signs, a layer whose inputs are of both signs (behind the leaky ReLU)."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.LeakyReLU(0.25),
        nn.Flatten(),
        nn.Linear(36, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Linear(5, 3),
    ).double()
    for layer in (net[0], net[3], net[6], net[9]):
        layer.weight.data.mul_(3)
    for norm in (net[1], net[7]):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
            tensor.normal_()
    assert net[1].weight.min() < 0 < net[1].weight.max()
    return net.eval()


def affine(layer: Callable[[Tensor], Tensor], a: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix ``[outputs, inputs]`` and shift ``[outputs]`` of an affine map of one image."""

    def flat(v: Tensor) -> Tensor:
        return layer(v.view(1, *a.shape)).flatten()

    zero = torch.zeros(a.numel(), dtype=a.dtype)
    return jacrev(flat)(zero).detach(), flat(zero).detach()


def shared_out(rule: str, a: Tensor, w: Tensor, b: Tensor, relevance: Tensor, eps: float) -> Tensor:
    """Relevance of ``a`` from the matrix of all contributions ``a_j w_kj``: no split by the signs of a or w."""
    parts, z = w * a, w @ a + b

    def fraction(p: Tensor, bias: Tensor, side: Tensor | float) -> Tensor:
        return p / (p.sum(1) + bias + eps * side)[:, None]

    up, down = parts.clamp(min=0), parts.clamp(max=0)
    sign = torch.where(z < 0, -1.0, 1.0).double()
    if rule == "epsilon":
        shares = fraction(parts, b, sign)
    elif rule == "zplus":
        shares = fraction(up, b.clamp(min=0), 1.0)
    elif rule == "alpha2_beta1":
        shares = 2 * fraction(up, b.clamp(min=0), 1.0) - fraction(down, b.clamp(max=0), -1.0)
    else:
        own, own_bias = torch.where(z[:, None] > 0, up, down), torch.where(z > 0, b.clamp(min=0), b.clamp(max=0))
        shares = fraction(parts + 0.25 * own, b + 0.25 * own_bias, sign)
    return relevance @ shares


def dense_relevance(net: nn.Sequential, x: Tensor, target: int, convolution: str, dense: str, eps: float) -> Tensor:
    """Layer by layer; activations pass relevance on."""
    stages = [(net[:2], net[2], convolution), (net[3], net[4], convolution), (net[5:8], net[8], dense)]
    inputs, maps, a = [], [], x
    for layer, activation, rule in [*stages, (net[9], nn.Identity(), dense)]:
        inputs.append(a.flatten())
        maps.append((*affine(layer, a), rule))
        a = activation(layer(a[None]))[0].detach()
    relevance = torch.zeros(3, dtype=x.dtype)
    relevance[target] = a[target]
    for vector, (w, b, rule) in zip(reversed(inputs), reversed(maps), strict=True):
        relevance = shared_out(rule, vector, w, b, relevance, eps)
    return relevance.view(x.shape)


@pytest.mark.parametrize("eps", [1e-6, 1e-1])
@pytest.mark.parametrize("dense", RULES)
@pytest.mark.parametrize("convolution", RULES)
def test_rules_equal_dense_algebra(convolution: str, dense: str, eps: float) -> None:
    net, x = small_net(), centred(3)
    found = lrp.explain(net, x, torch.tensor([0, 1, 2]), composite=Composite(RULES[convolution], RULES[dense]), eps=eps)
    for i in range(3):
        expected = dense_relevance(net, x[i], i, convolution, dense, eps)
        assert expected.abs().sum() > 1e-2
        torch.testing.assert_close(found[i], expected, rtol=1e-9, atol=1e-12)


def test_z_plus_conserves_relevance_without_biases_through_sums_and_pooling() -> None:
    net, x = residual().eval(), images()
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.zero_()
    logits = net(x.requires_grad_())
    found = lrp.relevance(logits, x, 1, composite="zplus", eps=0.0)
    torch.testing.assert_close(found.sum((1, 2, 3)), logits[:, 1], rtol=1e-6, atol=1e-9)
    assert ((found >= 0) == (logits[:, 1] >= 0)[:, None, None, None])[found != 0].all()


def test_an_output_that_also_skips_its_relu_is_whole() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.fc = nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            z = self.inner(x)
            return self.fc(z.relu() + z)

    torch.manual_seed(0)
    net, x, eps = Skip().double(), images(1).flatten()[:4] - 0.4, 1e-2
    z, (w, b) = net.inner(x).detach(), (net.inner.weight.detach(), net.inner.bias.detach())
    logit = net(x)[1].detach()
    relevance = (z.relu() + z) * net.fc.weight[1].detach() * logit / (logit + eps * logit.sign())
    found = lrp.explain(net, x[None], 1, composite=Composite(dense=Epsilon()), eps=eps)
    torch.testing.assert_close(found[0], shared_out("epsilon", x, w, b, relevance, eps))


def test_own_logits_start_from_the_positive_part_of_the_last_layer() -> None:
    """One dense layer: R_j = sum_k a_j w+_jk Z_k / (Z_k + eps) with Z = a w+ + b+, whatever the logits."""
    torch.manual_seed(0)
    layer, x, eps = nn.Linear(4, 3).double(), torch.rand(2, 4, dtype=torch.float64), 1e-2
    positive, bias = layer.weight.clamp(min=0), layer.bias.clamp(min=0)
    start = x @ positive.t() + bias
    expected = x * ((start / (start + eps)) @ positive)
    composite = replace(COMPOSITES["zplus"], own_logits=True)
    found = lrp.explain(layer, x, torch.ones(2, 3, dtype=torch.float64), composite=composite, eps=eps)
    torch.testing.assert_close(found, expected.detach())


def test_box_rule_of_the_isnet_is_that_of_the_epsilon_engine() -> None:
    """One hidden layer. The composite stabilises the last layer, which the engine does not: its start undoes that."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).double()
    x, eps = images().requires_grad_(), 1e-2
    logits = net(x)
    first = torch.tensor([[1.0, 0.0]] * 2, dtype=torch.float64)
    expected = lrp.relevance(logits, x, first, eps=eps, first="zb")
    undamped = (first * (1 + eps / logits.abs())).detach()
    found = lrp.relevance(logits, x, undamped, composite=Composite(), eps=eps, first="zb")
    torch.testing.assert_close(found, expected)


def vgg(norm: bool) -> nn.Sequential:
    torch.manual_seed(1)
    layers: list[nn.Module] = []
    for before, after in ((2, 4), (4, 5), (5, 6)):
        layers += [
            nn.Conv2d(before, after, 3, padding=1),
            *([nn.BatchNorm2d(after, eps=1e-12)] if norm else []),
            nn.ReLU(),
        ]
        layers += [nn.MaxPool2d(2)] if after != 6 else []
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(24, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 3)).double()
    for module in net:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.mul_(3)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.normal_()
    return net.eval()


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("name", ["epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box"])
def test_presets_equal_zennits(name: str, norm: bool) -> None:
    """To 1e-9: the same formulas in float64, with the same stabiliser 1e-6; but zennit's flat rule stabilises counts.

    The norms have a tiny epsilon, because zennit's merging leaves theirs behind. There is no sum or average pooling,
    which zennit stabilises and the engine does not.
    """
    net, x, target = vgg(norm), centred(size=8), torch.tensor([0, 2])
    found = lrp.explain(net, x, target, composite=name, box=(-0.4, 0.6))
    merge = [SequentialMergeBatchNorm()] if norm else []
    peers: dict[str, Callable[[], ZennitComposite]] = {
        "epsilon_plus": lambda: EpsilonPlus(canonizers=merge),
        "epsilon_plus_flat": lambda: EpsilonPlusFlat(canonizers=merge),
        "epsilon_gamma_box": lambda: EpsilonGammaBox(
            torch.full_like(x, -0.4), torch.full_like(x, 0.6), canonizers=merge
        ),
    }
    chosen = nn.functional.one_hot(target, 3).double()
    with Gradient(net, peers[name]()) as attributor:
        _, expected = attributor(x, lambda logits: logits * chosen)
    assert expected.abs().sum() > 1e-2
    torch.testing.assert_close(found, expected, rtol=1e-6 if "flat" in name else 1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["zplus", "gamma"])
def test_rules_equal_captums_where_its_biases_and_inputs_are_positive(name: str) -> None:
    """Captum leaves biases whole and splits no inputs, so: no bias, pixels above 0. Its stabiliser is 1e-9."""
    net, x, target = vgg(norm=False), images(size=8), torch.tensor([0, 2])
    for module in net:
        if isinstance(module, nn.Conv2d):
            module.bias.data.zero_()
            module.rule = Alpha1_Beta0_Rule() if name == "zplus" else GammaRule(0.25)
        elif isinstance(module, nn.Linear | nn.Flatten):
            module.rule = EpsilonRule(1e-9)
    expected = LRP(net).attribute(x.clone().requires_grad_(), target=target)
    found = lrp.explain(net, x, target, composite=Composite(RULES[name], Epsilon()), eps=1e-9)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("first", ["epsilon", "zb"])
@pytest.mark.parametrize("name", ["zplus", "alpha2_beta1", "gamma", "epsilon_plus", "epsilon_gamma_box"])
def test_second_backward_equals_finite_differences_over_all_weights(name: str, first: str) -> None:
    """Biases too; the maps of a residual network, so sums, overlapping pools and layers without a ReLU are met."""
    net, x = residual().eval(), images()
    weights = list(net.parameters())
    rng = torch.Generator().manual_seed(3)
    mask = torch.rand(x.shape, generator=rng, dtype=torch.float64)

    def loss() -> Tensor:
        leaf = x.clone().requires_grad_()
        options = {"composite": name, "eps": 0.1, "first": first}
        return (lrp.relevance(net(leaf), leaf, 1, create_graph=True, **options).square() * mask).sum()

    grads = torch.autograd.grad(loss(), weights, materialize_grads=True)
    directions = [torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights]
    for weight, grad, direction in zip(weights, grads, directions, strict=True):
        step, original = 1e-6, weight.data.clone()
        weight.data = original + step * direction
        above = loss().item()
        weight.data = original - step * direction
        below = loss().item()
        weight.data = original
        assert (above - below) / (2 * step) == pytest.approx((grad * direction).sum().item(), rel=2e-5, abs=1e-7)


@pytest.mark.parametrize("name", COMPOSITES)
def test_several_maps_of_one_pass_equal_single_maps(name: str) -> None:
    net, x = residual().eval(), images()
    classes = torch.tensor([[0, 2], [1, 0]])
    together = lrp.explain(net, x, classes, composite=name)
    for k in range(2):
        torch.testing.assert_close(together[:, k], lrp.explain(net, x, classes[:, k], composite=name))


def test_training_through_several_maps_adds_their_gradients() -> None:
    net, x = residual().eval(), images()
    classes = torch.tensor([[0, 2], [1, 0]])

    def gradients(target: Tensor) -> list[Tensor]:
        leaf = x.clone().requires_grad_()
        heatmap = lrp.relevance(net(leaf), leaf, target, composite="gamma", create_graph=True)
        return list(torch.autograd.grad(heatmap.square().sum(), list(net.parameters()), materialize_grads=True))

    for both, one, two in zip(*(gradients(t) for t in (classes, classes[:, 0], classes[:, 1])), strict=True):
        torch.testing.assert_close(both, one + two)


def test_batch_statistics_of_training_are_folded() -> None:
    """The same batch explained in evaluation, with its statistics (biased variance) as the running ones."""
    net, x = small_net(), centred(4)
    net.train()
    found = lrp.explain(net, x, 1, composite="zplus")
    net.eval()
    for number, dims in ((1, (0, 2, 3)), (7, (0,))):
        z = net[:number](x).detach()
        net[number].running_mean, net[number].running_var = z.mean(dims), z.var(dims, correction=0)
    torch.testing.assert_close(found, lrp.explain(net, x, 1, composite="zplus"))


def test_an_explained_layer_before_its_norm_keeps_its_own_relevance() -> None:
    """Nothing is folded then: what arrives at the convolution is what the norm as an affine map passes on."""
    net, x = small_net(), centred()
    net[2].inplace = False
    with lrp.record(net, ["0", "1"]) as hidden:
        logits = net(x.requires_grad_())
    _, before, after = lrp.relevance(logits, x, 1, composite="zplus", at=[hidden["0"], hidden["1"]])
    scale = (net[1].weight / (net[1].running_var + net[1].eps).sqrt()).view(1, -1, 1, 1)
    torch.testing.assert_close(before, (hidden["0"] * scale * after / hidden["1"]).detach())


def test_default_and_named_epsilon_are_one() -> None:
    net, x = residual().eval(), images()
    assert torch.equal(lrp.explain(net, x, 0), lrp.explain(net, x, 0, composite="epsilon", eps=1e-2))


def test_bad_arguments_are_named() -> None:
    net, x = residual().eval(), images()
    with pytest.raises(ValueError, match=r"no composite 'lrp': .*epsilon, zplus, .*epsilon_gamma_box"):
        lrp.explain(net, x, 0, composite="lrp")
    with pytest.raises(ValueError, match="bn='native'"):
        lrp.explain(net, x, 0, composite="zplus", bn="native")
    with pytest.raises(ValueError, match="has first='flat', the call first='zb'"):
        lrp.explain(net, x, 0, composite="epsilon_plus_flat", first="zb")
    with pytest.raises(ValueError, match="alpha - beta must be 1"):
        AlphaBeta(1.0, 1.0)
    with pytest.raises(ValueError, match="gamma must be 0 or positive"):
        Gamma(-1.0)
    leaf = x.float().requires_grad_()
    for eps in (0.0, None):
        with pytest.raises(ValueError, match=r"use at least 0\.001"):
            lrp.relevance(net.float()(leaf), leaf, 0, composite="epsilon_plus", eps=eps, create_graph=True)
    with pytest.raises(ValueError, match="is frozen"):
        lrp.explain(net.requires_grad_(False), x.float(), 0, composite="zplus")
