"""What the relevance engine promises beside its formula."""

import pytest
import timm
import torch
from captum.attr import InputXGradient
from networks import images, randomised, residual
from torch import Tensor, nn

from isnet import lrp
from isnet.loss import heatmap_loss


def test_without_epsilon_it_is_gradient_times_input_on_a_timm_network() -> None:
    torch.manual_seed(0)
    net = randomised(timm.create_model("test_resnet", num_classes=4, in_chans=1)).eval()
    x, target = images(2, channels=1, size=28), torch.tensor([3, 0])
    expected = InputXGradient(net).attribute(x.clone().requires_grad_(), target=target)
    torch.testing.assert_close(lrp.explain(net, x, target, eps=0.0), expected.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("first", ["epsilon", "zb"])
def test_second_backward_equals_finite_differences_over_all_weights(first: str) -> None:
    net, mask = residual().eval(), torch.zeros(2, 1, 6, 6, dtype=torch.float64)
    mask[:, :, 2:4, 2:4] = 1
    x, target = images(), torch.tensor([1, 2])

    def loss() -> Tensor:
        leaf = x.clone().requires_grad_()
        heatmap = lrp.relevance(net(leaf), leaf, target, eps=1e-1, first=first, create_graph=True)
        return sum(heatmap_loss(heatmap, mask))

    weights = list(net.parameters())
    grads = torch.autograd.grad(loss(), weights, materialize_grads=True)  # the last bias moves no heatmap
    rng = torch.Generator().manual_seed(3)
    directions = [torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights]
    for weight, grad, direction in zip(weights, grads, directions, strict=True):
        step, original = 1e-6, weight.data.clone()
        weight.data = original + step * direction
        above = loss().item()
        weight.data = original - step * direction
        below = loss().item()
        weight.data = original
        assert (above - below) / (2 * step) == pytest.approx((grad * direction).sum().item(), rel=2e-5, abs=1e-7)


def test_classification_gradient_is_bit_identical_with_and_without_a_heatmap() -> None:
    net, label = residual().train(), torch.tensor([1, 2])

    def grads(explain: bool) -> list[Tensor]:
        leaf = images().requires_grad_()
        logits = net(leaf)
        if explain:
            lrp.relevance(logits, leaf, label, create_graph=True)
        return torch.autograd.grad(nn.functional.cross_entropy(logits, label), list(net.parameters()))

    before = [id(p) for p in net.parameters()]
    for plain, explained in zip(grads(False), grads(True), strict=True):
        assert torch.equal(plain, explained)
    assert [id(p) for p in net.parameters()] == before


def test_images_of_a_training_batch_do_not_leak_into_each_others_heatmaps() -> None:
    net = residual().train()
    first = lrp.explain(net, images(3), torch.tensor([0, 1, 2]))
    second = lrp.explain(net, images(3), torch.tensor([0, 2, 1]))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


def test_relevance_is_linear_in_the_explained_logits() -> None:
    net, x = residual().eval(), images()
    one, two = (lrp.explain(net, x, torch.full((2,), k)) for k in (0, 1))
    weights = torch.tensor([[2.0, -1.0, 0.0]] * 2)
    torch.testing.assert_close(lrp.explain(net, x, weights), 2 * one - two)


def test_concatenation_passes_each_branch_its_own_share() -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.fc = nn.Conv2d(2, 3, 1), nn.Conv2d(5, 2, 1), nn.Linear(7, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cat([x, self.a(x).relu()], -3)
            x = torch.cat([x, self.b(x).relu()], 1)
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(0)
    net, x, target = Dense().double(), images(), torch.tensor([0, 1])
    expected = InputXGradient(net).attribute(x.clone().requires_grad_(), target=target)
    torch.testing.assert_close(lrp.explain(net, x, target, eps=0.0), expected.detach())


@pytest.mark.parametrize(
    ("activation", "operation"), [(nn.Sigmoid(), "SigmoidBackward0"), (nn.Softplus(), "SoftplusBackward0")]
)
def test_an_operation_without_a_rule_is_named(activation: nn.Module, operation: str) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 1), activation, nn.Flatten(), nn.Linear(108, 2)).double()
    with pytest.raises(lrp.UnsupportedNode, match=operation):
        lrp.explain(net, images(), torch.tensor([0, 1]))


def test_two_factors_share_the_relevance_of_their_product() -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x[:, :1] * x[:, 1:] * torch.tensor([[[[2.0]], [[3.0]]]])).sum((2, 3))

    x = images()
    heatmap = lrp.explain(Product(), x, torch.tensor([0, 1]))
    half = x[:, :1] * x[:, 1:] * torch.tensor([1.0, 1.5]).view(2, 1, 1, 1)
    torch.testing.assert_close(heatmap, half.expand(-1, 2, -1, -1))


def test_a_gate_passes_nothing_and_its_signal_gets_all() -> None:
    class Gated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x[:, :1] * (1 - 0.5 * torch.sigmoid(x[:, 1:]))).sum((2, 3)).expand(-1, 2)

    x = images()
    heatmap = lrp.explain(Gated(), x, 0)
    torch.testing.assert_close(heatmap[:, :1], x[:, :1] * (1 - 0.5 * torch.sigmoid(x[:, 1:])))
    assert (heatmap[:, 1:] == 0).all()


def test_bad_arguments_are_named() -> None:
    net, x, target = residual().float(), images().float().requires_grad_(), torch.tensor([0, 1])
    logits = net(x)
    with pytest.raises(ValueError, match=r"outside torch.no_grad"), torch.no_grad():
        lrp.relevance(net(x), x, target)
    with pytest.raises(ValueError, match="requires_grad_"):
        lrp.relevance(logits, x.detach(), target)
    with pytest.raises(ValueError, match="do not depend on x"):
        lrp.relevance(logits, torch.rand(2, 2, 6, 6, requires_grad=True), target)
    with pytest.raises(ValueError, match="0 to 3 but there are 3 classes"):
        lrp.relevance(logits, x, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="must be int64 class indices"):
        lrp.relevance(logits, x, torch.tensor([0.5, 1.0]))
    with pytest.raises(ValueError, match=r"0\.0001 is too small"):
        lrp.relevance(logits, x, target, eps=1e-4, create_graph=True)
    with pytest.raises(ValueError, match="positive, got -1"):
        lrp.relevance(logits, x, target, eps=-1)
    with pytest.raises(ValueError, match="3 values a side but the image has 2 channels"):
        lrp.relevance(logits, x, target, first="zb", box=([0.0] * 3, [1.0] * 3))


def test_concatenation_with_a_constant_part() -> None:
    class Padded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([torch.ones_like(x).detach(), 3 * x], 1).sum((2, 3))

    x = images()
    heatmap = lrp.explain(Padded(), x, torch.tensor([2, 3]))
    expected = torch.zeros_like(x)
    expected[0, 0], expected[1, 1] = 3 * x[0, 0], 3 * x[1, 1]
    torch.testing.assert_close(heatmap, expected)
