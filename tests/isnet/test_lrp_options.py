"""Targets, hidden layers, input rules, statistics and attention: what the options of ``relevance`` promise."""

import math
import os

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from networks import images, residual
from torch import Tensor, nn
from torch.distributed import destroy_process_group, init_process_group

from isnet import lrp

PLAIN = {"rtol": 1e-12, "atol": 1e-12}


def forward(net: nn.Module, count: int = 2) -> tuple[Tensor, Tensor]:
    x = images(count).requires_grad_()
    return x, net(x)


class TestTargets:
    def test_a_number_an_index_and_a_one_hot_row_are_the_same(self) -> None:
        x, logits = forward(residual().eval())
        expected = lrp.relevance(logits, x, torch.tensor([2, 2]))
        assert torch.equal(lrp.relevance(logits, x, 2), expected)
        assert torch.equal(lrp.relevance(logits, x, F.one_hot(torch.tensor([2, 2]), 3).double()), expected)

    @pytest.mark.parametrize("first", ["epsilon", "zb", "w2", "flat"])
    def test_maps_of_several_classes_are_those_of_single_ones(self, first: str) -> None:
        x, logits = forward(residual().train(), 3)
        classes = torch.tensor([[0, 1, 2], [2, 2, 1], [1, 0, 0]])
        together = lrp.relevance(logits, x, classes, first=first)
        single = torch.stack([lrp.relevance(logits, x, column, first=first) for column in classes.T], 1)
        torch.testing.assert_close(together, single, **PLAIN)

    @pytest.mark.parametrize("first", ["epsilon", "zb"])
    def test_so_are_their_second_gradients(self, first: str) -> None:
        net = residual().train()
        x, logits = forward(net)
        classes, weights = torch.tensor([[0, 1], [2, 0]]), list(net.parameters())
        options = {"first": first, "create_graph": True}

        def gradient(maps: Tensor) -> tuple[Tensor, ...]:
            return torch.autograd.grad(maps.square().sum(), weights, retain_graph=True, materialize_grads=True)

        together = gradient(lrp.relevance(logits, x, classes, **options))
        single = gradient(torch.stack([lrp.relevance(logits, x, each, **options) for each in classes.T], 1))
        for one, other in zip(together, single, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)

    def test_weighted_logits_are_the_weighted_maps_and_gradients_flow_through_the_weights(self) -> None:
        x, logits = forward(residual().eval())
        maps = lrp.relevance(logits, x, torch.tensor([[0, 1, 2]] * 2))
        weights = torch.tensor([[0.5, -1.0, 2.0], [0.0, 3.0, 1.0]], dtype=torch.float64, requires_grad=True)
        mixed = lrp.relevance(logits, x, weights, create_graph=True)
        torch.testing.assert_close(mixed, torch.einsum("bk,bkchw->bchw", weights, maps), **PLAIN)
        (slope,) = torch.autograd.grad(mixed.sum(), weights)
        torch.testing.assert_close(slope, maps.sum((2, 3, 4)), **PLAIN)

    @pytest.mark.parametrize("target", [torch.zeros(3, dtype=torch.int64), torch.zeros(2, 5), torch.zeros(2, 2, 2)])
    def test_another_shape_is_refused(self, target: Tensor) -> None:
        x, logits = forward(residual().eval())
        with pytest.raises(ValueError, match=r"target must be int64 class indices.*\[2"):
            lrp.relevance(logits, x, target)


class TestHiddenLayers:
    def test_a_hidden_map_is_the_map_of_the_rest_of_the_network(self) -> None:
        net = residual().eval()
        x = images().requires_grad_()
        with lrp.record(net, ["pool"]) as hidden:
            logits = net(x)
        whole = lrp.relevance(logits, x, 1)
        at_x, at_pool = lrp.relevance(logits, x, 1, at=[hidden["pool"]])
        assert torch.equal(at_x, whole)
        h = hidden["pool"].detach().requires_grad_()
        rest = net.fc(net.relu(h + net.bn3(net.conv3(net.relu(net.bn2(net.conv2(h)))))).mean((2, 3)))
        torch.testing.assert_close(at_pool, lrp.relevance(rest, h, 1), **PLAIN)

    def test_several_maps_come_for_hidden_layers_too(self) -> None:
        net = residual().eval()
        x = images().requires_grad_()
        with lrp.record(net, ["conv2"]) as hidden:
            logits = net(x)
        maps = lrp.relevance(logits, x, torch.tensor([[0, 1], [1, 2]]), at=[hidden["conv2"]])
        assert [tuple(each.shape) for each in maps] == [(2, 2, 2, 6, 6), (2, 2, 5, 3, 3)]

    def test_an_unknown_layer_and_an_unused_tensor_are_refused(self) -> None:
        net = residual().eval()
        with pytest.raises(ValueError, match=r"no module 'layer9'; it has conv1"), lrp.record(net, ["layer9"]):
            pass
        x, logits = forward(net)
        with pytest.raises(ValueError, match="number 0 of `at` is not on a path"):
            lrp.relevance(logits, x, 1, at=[x * 2])


class TestInputRules:
    @pytest.mark.parametrize("mode", ["train", "eval"])
    @pytest.mark.parametrize("first", ["w2", "flat"])
    def test_they_spread_what_arrives_as_their_formula_says(self, first: str, mode: str) -> None:
        net = residual().train(mode == "train")
        x = images().requires_grad_()
        with lrp.record(net, ["bn1"]) as hidden:
            logits = net(x)
        y = hidden["bn1"]  # the in-place ReLU has overwritten the value: take the sum of both signs from the books
        heatmap = lrp.relevance(logits, x, 1, first=first, eps=0.0)
        with torch.no_grad():
            z = net.conv1(x)
            norm = net.bn1
            mean, var = (z.mean((0, 2, 3)), z.var((0, 2, 3), correction=0)) if mode == "train" else (
                norm.running_mean, norm.running_var)  # fmt: skip
            scale = norm.weight / (var + norm.eps).sqrt()
            pre = (z - mean.view(1, -1, 1, 1)) * scale.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
        relu_out = y
        (at_relu,) = lrp.relevance(logits, x, 1, eps=0.0, at=[relu_out])[1:]
        arrived = torch.where(pre > 0, at_relu, 0.0)
        w = net.conv1.weight.detach() * scale.detach().view(-1, 1, 1, 1)
        share = w.square() if first == "w2" else torch.ones_like(w)
        dense = torch.zeros(2, *x.shape[1:], dtype=x.dtype)
        for b in range(2):
            for k in range(4):
                for i in range(6):
                    for j in range(6):
                        window = torch.zeros(2, 8, 8, dtype=x.dtype)
                        window[:, i : i + 3, j : j + 3] = share[k]
                        inside = window[:, 1:7, 1:7]
                        dense[b] += inside / inside.sum() * arrived[b, k, i, j]
        torch.testing.assert_close(heatmap, dense, rtol=1e-6, atol=1e-8)

    def test_zb_needs_a_convolution_first(self) -> None:
        net = nn.Sequential(nn.Flatten(), nn.Linear(72, 2)).double()
        with pytest.raises(ValueError, match=r"begins with a convolution.*use first='epsilon'"):
            lrp.explain(net, images(), 0, first="zb")

    @pytest.mark.parametrize("layer", ["conv1", "bn1"])
    def test_a_frozen_bias_is_refused_and_not_forgotten(self, layer: str) -> None:
        net = residual().eval()
        getattr(net, layer).bias.requires_grad_(False)
        with pytest.raises(ValueError, match=r"frozen: call model\.requires_grad_"):
            lrp.explain(net, images(), 1, first="zb")

    def test_a_backward_hook_on_the_model_changes_no_map(self) -> None:
        net = residual().eval()
        expected = lrp.explain(net, images(), 1, first="zb")
        net.conv1.register_full_backward_hook(lambda *arguments: None)
        torch.testing.assert_close(lrp.explain(net, images(), 1, first="zb"), expected, **PLAIN)


class TestBatchStatistics:
    def test_native_is_autograds_own_backward(self) -> None:
        net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 2)).double()
        x, logits = forward(net)
        (gradient,) = torch.autograd.grad(logits[:, 1].sum(), x, retain_graph=True)
        torch.testing.assert_close(lrp.relevance(logits, x, 1, bn="native"), x * gradient, **PLAIN)

    def test_batch_grad_is_the_true_derivative_of_the_map_in_training(self) -> None:
        net = residual().train()
        weight = net.conv1.weight
        direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

        def loss() -> Tensor:
            x, logits = forward(net)
            return lrp.relevance(logits, x, 1, eps=0.1, bn="batch_grad", create_graph=True).square().sum()

        (slope,) = torch.autograd.grad(loss(), weight)
        original, values = weight.data.clone(), []
        for step in (1e-6, -1e-6):
            weight.data = original + step * direction
            values.append(loss().item())
        assert (slope * direction).sum().item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)


class Attention(nn.Module):
    """One head over the pixels of a 2-channel image, written out or fused."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.w = nn.ParameterList(torch.randn(2, 2, generator=rng, dtype=torch.float64) for _ in range(3))
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)[:, None]
        q, k, v = (tokens @ w for w in self.w)
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v).mean((1, 2))
        return ((q @ k.transpose(-1, -2) / math.sqrt(2)).softmax(-1) @ v).mean((1, 2))


class TestAttention:
    @pytest.mark.parametrize("attention", ["attnlrp", "cp"])
    def test_fused_and_written_out_agree(self, attention: str) -> None:
        maps = [lrp.explain(Attention(fused), images(), 0, attention=attention) for fused in (True, False)]
        torch.testing.assert_close(*maps, **PLAIN)

    def test_cp_takes_the_weights_as_constants(self) -> None:
        net, x = Attention(fused=False), images().requires_grad_()
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = (tokens @ w for w in net.w)
        constant = (q @ k.transpose(-1, -2) / math.sqrt(2)).softmax(-1).detach()
        (gradient,) = torch.autograd.grad((constant @ v).mean(1)[:, 0].sum(), x)
        torch.testing.assert_close(lrp.explain(net, x, 0, attention="cp"), x * gradient, **PLAIN)

    def test_a_causal_mask_hides_the_future(self) -> None:
        class Causal(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                tokens = x.flatten(2).transpose(1, 2)[:, None]
                return F.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True)[:, 0, 0]

        heatmap = lrp.explain(Causal(), images(), 0).flatten(2)
        assert heatmap[:, 0, 0].abs().min() > 0
        assert (heatmap[:, :, 1:] == 0).all()


class TestTrouble:
    def test_an_unsupported_operation_is_named_with_its_module(self) -> None:
        net = nn.Sequential()
        net.add_module("stem", nn.Conv2d(2, 3, 1))
        net.add_module("odd", nn.Softplus())
        net.add_module("head", nn.Sequential(nn.Flatten(), nn.Linear(108, 2)))
        with pytest.raises(lrp.UnsupportedNode, match=r"'SoftplusBackward0' \(in module 'odd'\)"):
            lrp.explain(net.double(), images(), 0)

    def test_the_first_layer_with_a_nan_is_named(self) -> None:
        net = residual().eval()
        assert lrp.first_non_finite(net, images(), 1) is None
        infinite = torch.full((2, 3), torch.inf, dtype=torch.float64)
        assert lrp.first_non_finite(net, images(), infinite) == "fc"
        net.bn2.running_var.fill_(-1.0)
        assert lrp.first_non_finite(net, images(), 1) == "the logits themselves"

    def test_a_compiled_model_is_refused(self) -> None:
        compiled = torch.compile(residual().eval(), backend="aot_eager")
        x = images().requires_grad_()
        with pytest.raises(ValueError, match=r"compiled model.*uncompiled"):
            lrp.relevance(compiled(x), x, 0)

    @pytest.mark.parametrize("option", ["first", "bn", "attention"])
    def test_an_unknown_word_is_refused(self, option: str) -> None:
        x, logits = forward(residual().eval())
        with pytest.raises(ValueError, match=rf"{option} must be one of .* got 'new'"):
            lrp.relevance(logits, x, 0, **{option: "new"})


def test_the_pass_stays_in_float32_when_the_forward_was_autocast() -> None:
    torch.manual_seed(0)
    net = residual().float().eval()
    x = images().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(x)
        low = lrp.relevance(logits, x, 1, create_graph=True)
    assert low.dtype == torch.float32
    exact = lrp.explain(net, x, 1)
    assert F.cosine_similarity(low.flatten(1), exact.flatten(1)).min() > 0.95
    low.abs().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters() if weight.grad is not None)


def test_it_works_inside_distributed_data_parallel(tmp_path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        net = residual().train()
        wrapped = nn.parallel.DistributedDataParallel(net)
        x = images().requires_grad_()
        heatmap = lrp.relevance(wrapped(x), x, 1, create_graph=True)
        heatmap.square().sum().backward(inputs=list(net.parameters())[:-1])
        distributed = net.conv1.weight.grad.clone()
    finally:
        destroy_process_group()
    alone = residual().train()
    x, logits = forward(alone)
    lrp.relevance(logits, x, 1, create_graph=True).square().sum().backward(inputs=list(alone.parameters())[:-1])
    torch.testing.assert_close(distributed, alone.conv1.weight.grad, **PLAIN)
