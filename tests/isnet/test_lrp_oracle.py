"""The oracle against hand computation, and the engine against the oracle on timm's families."""

import pytest
import torch
from families import ATTENTION, BOUNDS, QUICK, SIZES, SLOW, TRAINED, UNSUPPORTED
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from isnet import lrp
from isnet.lrp import oracle
from isnet.lrp.surrogates import Options
from pipelines.lrp_coverage import sample

BOUND = 1e-9


def doubles(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Lambda(nn.Module):
    """A network that is one function of the image."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


# -- the oracle alone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.LeakyReLU(0.2),
        nn.ELU(),
        nn.SiLU(),
        nn.GELU(),
        nn.GELU("tanh"),
        nn.Mish(),
        nn.Hardswish(),
        nn.Tanh(),
    ],
    ids=str,
)
def test_activations_follow_the_epsilon_rule(activation: nn.Module) -> None:
    """R_j = sum_k x_j w_kj / (z_k + eps sign z_k) R_k with R_k = f(z_k) v_k, as Bach et al. write it."""
    w, b, v, x, eps = doubles(5, 4), doubles(5, seed=1), doubles(2, 5, seed=2), doubles(3, 4, seed=3), 0.1
    net = nn.Sequential(nn.Linear(4, 5), activation, nn.Linear(5, 2)).double()
    net[0].weight.data, net[0].bias.data, net[2].weight.data = w, b, v
    target = torch.tensor([0, 1, 1])
    z = x @ w.T + b
    above = activation(z) * v[target]
    expected = x * ((above / (z + eps * z.sign())) @ w)
    torch.testing.assert_close(oracle.relevance(net, x, target, eps=eps), expected, rtol=1e-12, atol=1e-14)


def test_products_are_shared_and_gates_take_nothing() -> None:
    a, b = doubles(4, 4), doubles(4, 4, seed=1)
    x, target = doubles(2, 4, seed=2), torch.tensor([1, 3])
    both = oracle.relevance(Lambda(lambda x: (x @ a) * (x @ b)), x, target)
    one, two = (x @ a).gather(1, target[:, None]), (x @ b).gather(1, target[:, None])
    torch.testing.assert_close(both, x * (two * a.T[target] + one * b.T[target]) / 2)
    torch.testing.assert_close(both.sum(1, keepdim=True), one * two)
    gated = oracle.relevance(Lambda(lambda x: (x @ a) * (x @ b).sigmoid()), x, target)
    torch.testing.assert_close(gated, x * two.sigmoid() * a.T[target])
    divided = oracle.relevance(Lambda(lambda x: (x @ a) / (x @ b).square().sum(1, keepdim=True).sqrt()), x, target)
    torch.testing.assert_close(divided, x * a.T[target] / (x @ b).norm(dim=1, keepdim=True))


def test_the_last_signal_of_a_gated_cell_is_its_tanh() -> None:
    """sigmoid(u) tanh(c), the output of an LSTM's cell: both could weigh, and the tanh carries what is remembered."""
    a, b, x, eps = doubles(4, 4), doubles(4, 4, seed=1), doubles(1, 4, seed=2), 1e-2
    u, c = x @ a, x @ b
    found = oracle.relevance(Lambda(lambda x: (x @ a).sigmoid() * (x @ b).tanh()), x, torch.tensor([2]), eps=eps)
    slope = u.sigmoid()[0, 2] * c.tanh()[0, 2] / (c[0, 2] + eps * c[0, 2].sign())
    torch.testing.assert_close(found, x * slope * b.T[2])


def test_attention_sends_a_quarter_to_queries_and_keys_and_half_to_values() -> None:
    """Plain gradients of a copy in which queries, keys and values read an input each, so that each path is known."""
    wq, wk, wv = (doubles(3, 3, seed=seed) for seed in range(3))
    x, target = doubles(2, 5, 3, seed=3), torch.tensor([0, 2])

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        shares = (q @ wq @ (k @ wk).transpose(1, 2) / 3**0.5).softmax(-1)
        return (shares @ (v @ wv)).sum(1)

    fused = Lambda(lambda x: nn.functional.scaled_dot_product_attention(x @ wq, x @ wk, x @ wv).sum(1))
    paths = [x.clone().requires_grad_() for _ in range(3)]
    q, k, v = torch.autograd.grad(attend(*paths).gather(1, target[:, None]).sum(), paths)
    for net in (fused, Lambda(lambda x: attend(x, x, x))):
        torch.testing.assert_close(oracle.relevance(net, x, target), x * (q / 4 + k / 4 + v / 2))
        torch.testing.assert_close(oracle.relevance(net, x, target, attention="cp"), x * v)


def test_normalisations_have_a_constant_scale() -> None:
    x, target = doubles(2, 6), torch.tensor([4, 1])
    weight, bias = doubles(6, seed=1), doubles(6, seed=2)
    std = x.std(1, correction=0, keepdim=True)
    one_hot = nn.functional.one_hot(target, 6).double() * weight
    centred = oracle.relevance(Lambda(lambda x: nn.functional.layer_norm(x, (6,), weight, bias, 0.0)), x, target)
    torch.testing.assert_close(centred, x * (one_hot - one_hot.mean(1, keepdim=True)) / std)
    root = x.square().mean(1, keepdim=True).sqrt()
    rms = oracle.relevance(Lambda(lambda x: nn.functional.rms_norm(x, (6,), weight, 0.0)), x, target)
    torch.testing.assert_close(rms, x * one_hot / root)
    batch = Lambda(lambda x: nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=0.0))
    torch.testing.assert_close(oracle.relevance(batch, x, target), x * one_hot / x.std(0, correction=0))


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "convnextv2_atto", "levit_128s"])
def test_the_oracle_changes_no_value(name: str) -> None:
    model, x = sample(name, SIZES[name])
    with torch.no_grad():
        expected = model(x)
    with oracle.Prescribed(Options(0.5, False)):
        found = oracle.frozen_copy(model)(x.requires_grad_())
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_the_model_is_left_as_it_is() -> None:
    model, x = sample("test_resnet", 64)
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    oracle.relevance(model, x.repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        return 2 * g


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        y = x.relu()
    return x + y


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: nn.functional.softplus(x), "softplus"),
        (lambda x: x.sigmoid(), "sigmoid"),
        (lambda x: x + x.exp(), "exp"),
        (lambda x: x.clamp(0.5, 1.0), "clamp to"),
        (lambda x: torch.einsum("bi,bi,bi->bi", x, x + 1, x + 2), "3 signals"),
        (lambda x: torch.ones(2, 3, dtype=x.dtype), "every path"),
        (Doubled.apply, "autograd.Function"),
        (without_gradient, "no_grad"),
        (lambda x: checkpoint(torch.relu, x, use_reentrant=True), "reentrant"),
    ],
    ids=["softplus", "sigmoid", "exp", "clamp", "triple", "constant", "function", "no_grad", "reentrant"],
)
def test_what_has_no_definition_is_refused(function, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        oracle.relevance(Lambda(function), doubles(2, 3), torch.tensor([0, 1]))


def test_what_has_no_definition_may_stand_inside_of_a_gate() -> None:
    x = doubles(2, 3)
    found = oracle.relevance(Lambda(lambda x: x * nn.functional.softplus(x).abs().sigmoid()), x, torch.tensor([0, 1]))
    weighed = x * nn.functional.softplus(x).sigmoid()
    assert torch.equal(found, weighed * torch.eye(3, dtype=x.dtype)[:2])


def test_checkpointing_is_refused() -> None:
    net = Lambda(lambda x: checkpoint(torch.relu, x, use_reentrant=False))
    with pytest.raises(RuntimeError, match="switch it off"):
        oracle.relevance(net, doubles(2, 3), torch.tensor([0, 1]))


def test_bad_arguments_are_named() -> None:
    net, x = nn.Linear(3, 2).double(), doubles(2, 3)
    with pytest.raises(ValueError, match="positive, got -1"):
        oracle.relevance(net, x, torch.tensor([0, 1]), eps=-1)
    with pytest.raises(ValueError, match="got 'flow'"):
        oracle.relevance(net, x, torch.tensor([0, 1]), attention="flow")
    with pytest.raises(ValueError, match=r"class indices \(2,\)"):
        oracle.relevance(net, x, torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match="all zero"):
        oracle.difference(x, torch.zeros_like(x))
    with pytest.raises(ValueError, match="cannot be compared"):
        oracle.difference(x, x[:1])


def test_difference_is_relative_to_the_largest_entry() -> None:
    assert oracle.difference(torch.tensor([1.0, -4.5]), torch.tensor([1.25, -5.0])) == 0.1


# -- the engine against the oracle -------------------------------------------------------------------------------------


def error(name: str, attention: str = "attnlrp", training: bool = False) -> float:
    model, x = sample(name, SIZES[name])
    if training:
        model.train()
        x = torch.cat([x, x.flip(-1) + 1])
    target = torch.arange(len(x))
    found = lrp.explain(model, x, target, attention=attention)
    return oracle.difference(found, oracle.relevance(model, x, target, attention=attention))


@pytest.mark.parametrize("name", QUICK)
def test_engine_equals_oracle(name: str) -> None:
    assert error(name) <= BOUND


@pytest.mark.parametrize("name", ATTENTION)
def test_engine_equals_oracle_with_constant_softmax(name: str) -> None:
    assert error(name, attention="cp") <= BOUND


@pytest.mark.parametrize("name", TRAINED)
def test_engine_equals_oracle_in_training_mode(name: str) -> None:
    assert error(name, training=True) <= BOUND


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_engine_equals_oracle_on_larger_models(name: str) -> None:
    assert error(name) <= BOUNDS.get(name, BOUND)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if SIZES[name] > 64 else ()) for name in UNSUPPORTED]
)
def test_what_the_engine_cannot_explain_is_refused(name: str) -> None:
    model, x = sample(name, SIZES[name])
    with pytest.raises(lrp.UnsupportedNode, match=UNSUPPORTED[name]):
        lrp.explain(model, x, 1)


class Built(nn.Module):
    """A few weights, and a function of them and the image ``[B, 4]``."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.a, self.b, self.c = (nn.Parameter(doubles(4, 4, seed=seed)) for seed in (11, 12, 13))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def tokens(x: Tensor) -> Tensor:
    """``[B, 3, 4]``, which fused attention takes with a head axis."""
    return torch.stack([x, x.roll(1, -1), x.flip(-1)], 1)[:, None]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q = q.expand(len(k), 1, -1, 4) if len(q) != len(k) else q
    return nn.functional.scaled_dot_product_attention(q, k, v).sum((1, 2))


def view_sum(net: Built, x: Tensor) -> Tensor:
    y = nn.functional.silu(x @ net.a)
    y[:, :2] += x[:, 1:3]
    return y @ net.b


def view_copy(net: Built, x: Tensor) -> Tensor:
    y = nn.functional.silu(x @ net.a)
    y[:, 1] = 2 * x[:, 0]
    return y @ net.b


CONSTRUCTIONS = {
    "a gate on the image itself": lambda net, x: x * (x @ net.a).sigmoid(),
    "a gate of a gate": lambda net, x: (x @ net.a) * ((x @ net.b).sigmoid() * (x @ net.c).sigmoid()),
    "a tanh scaled by a computed weight": lambda net, x: x + (x @ net.a).tanh() * net.b[0].exp(),
    "a tanh that weighs": lambda net, x: (x @ net.a) * (1 + (x @ net.b).tanh()),
    "a tanh up to 0.999998": lambda net, x: (7 * x @ net.a / (x @ net.a).detach().abs().max()).tanh() @ net.b,
    "a tanh next to 0": lambda net, x: (1e-4 * x @ net.a).tanh() @ net.b,
    "the output of a gated cell": lambda net, x: (x @ net.a).sigmoid() * (x @ net.b).tanh(),
    "a product of two tanh": lambda net, x: (x @ net.a).tanh() * (x @ net.b).tanh(),
    "attention from a learned query": lambda net, x: attend(net.a[None, None], tokens(x) @ net.b, tokens(x) @ net.c),
    "attention to learned keys": lambda net, x: attend(
        tokens(x), net.b[None, None].expand(len(x), 1, 4, 4), net.c[None, None].expand(len(x), 1, 4, 4)
    ),
    "attention over learned weights": lambda net, x: attend(
        net.a[None, None, :3].expand(len(x), 1, 3, 4), net.b[None, None, :3].expand(len(x), 1, 3, 4), tokens(x)
    ),
    "a sum into a view": view_sum,
    "a copy into a view": view_copy,
    "a leaky activation": lambda net, x: nn.functional.leaky_relu(x @ net.a, 0.7) @ net.b,
    "a leaky activation in place": lambda net, x: nn.functional.leaky_relu_(x @ net.a, 0.7) @ net.b,
    "a clamp from below": lambda net, x: (x @ net.a).clamp(min=0) @ net.b,
    "a clamp from above": lambda net, x: (x @ net.a).clamp(max=1) @ net.b,
    "a division by a norm": lambda net, x: nn.functional.normalize(x @ net.a) @ net.b,
    "added products": lambda net, x: torch.addcmul(x, x @ net.a, (x @ net.b).relu(), value=0.5),
}


@pytest.mark.parametrize("attention", ["attnlrp", "cp"])
@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_engine_equals_oracle_on_single_constructions(name: str, attention: str) -> None:
    net, x, classes = Built(CONSTRUCTIONS[name]), doubles(2, 4, seed=5), torch.tensor([[2, 1], [0, 3]])
    if name == "attention to learned keys" and attention == "cp":
        pytest.skip("all relevance ends at the softmax")
    expected = torch.stack([oracle.relevance(net, x, each, attention=attention) for each in classes.T], 1)
    assert oracle.difference(lrp.explain(net, x, classes, attention=attention), expected) <= BOUND


def test_a_gate_that_weighs_weights_only_is_refused_by_both() -> None:
    """Its relevance would be lost: the other factor, though computed, does not depend on the image."""
    net, x = Built(lambda net, x: x + (x @ net.a).sigmoid() * net.b[0].exp()), doubles(2, 4)
    with pytest.raises(lrp.UnsupportedNode, match="SigmoidBackward0"):
        lrp.explain(net, x, 1)
    with pytest.raises(ValueError, match="sigmoid"):
        oracle.relevance(net, x, torch.tensor([1, 1]))
