"""The books of a heatmap close to rounding, and each account holds what a hand computation puts there."""

import pytest
import timm
import torch
from networks import images, residual
from torch import Tensor, nn

from isnet import lrp

NAMES = ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "resnet10t", "mobilenetv2_035"]


def scattered(model: nn.Module) -> nn.Module:
    """Every vector parameter away from its initial value: fresh shifts are zero, fresh layer scales next to it."""
    rng = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.dim() <= 1:
            weight.data.uniform_(0.3, 1.3, generator=rng)
    return model.double()


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", NAMES)
def test_the_books_close_on_timm_networks(name: str, mode: str) -> None:
    torch.manual_seed(0)
    model = scattered(timm.create_model(name, num_classes=4)).train(mode == "train")
    x = images(2, 3, model.default_cfg["input_size"][-1] // (2 if "vit" not in name else 1)).requires_grad_()
    books = lrp.ledger(model(x), x, torch.tensor([3, 1]))
    assert books.gap < 1e-12
    assert abs(books.bias) > abs(books.logit) / 100  # not an empty account


@pytest.mark.parametrize("eps", [0.0, 1e-2, 1.0])
def test_accounts_of_one_unit_by_hand(eps: float) -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    for weight, value in zip(net.parameters(), (2.0, 1.0, 3.0, -0.5), strict=True):
        weight.data.fill_(value)
    x = torch.tensor([[4.0]], dtype=torch.float64, requires_grad=True)
    books = lrp.ledger(net(x), x, 0, eps=eps)
    # z = 2*4 + 1 = 9; f = 3*9 - 0.5; the ReLU passes 27 * 9/(9+eps), of which the input has 8/9 and the bias 1/9
    through = 27 * 9 / (9 + eps)
    assert books.logit == pytest.approx(26.5)
    assert books.input == pytest.approx(through * 8 / 9)
    assert books.bias == pytest.approx(through / 9 - 0.5)
    assert books.epsilon == pytest.approx(27 - through)


def test_a_saturated_relu6_passes_its_relevance_on() -> None:
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU6(inplace=True), nn.Linear(1, 1, bias=False)).double()
    for weight in net.parameters():
        weight.data.fill_(2.0)
    x = torch.tensor([[5.0]], dtype=torch.float64, requires_grad=True)
    books = lrp.ledger(net(x), x, 0, eps=0.0)
    assert (books.logit, books.input) == pytest.approx((12.0, 12.0))  # the plain gradient would give 0


def test_a_table_that_is_added_is_a_bias() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.arange(6.0).reshape(3, 2))

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.cat([self.table[[0, 2]].T, self.table[1:2].T], 1)

    net, x = Positions().double(), torch.ones(2, 2, 3, dtype=torch.float64).requires_grad_()
    books = lrp.ledger(net(x).sum(2), x, 1)
    assert books.bias == pytest.approx(2 * (1 + 5 + 3))
    assert books.gap < 1e-15


def test_a_constant_that_nobody_recorded_is_a_gap() -> None:
    x = images().requires_grad_()
    books = lrp.ledger((x - 0.5).sum((2, 3)), x, 0)
    assert books.gap > 0.1


def test_the_heatmap_of_a_batch_in_training_does_not_leak_unless_asked_to() -> None:
    net = residual().train()
    x = images(4).requires_grad_()
    target, other = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 2, 1, 1])
    logits = net(x)
    first = {bn: lrp.relevance(logits, x, target, bn=bn)[0] for bn in ("constant", "batch_grad", "native")}
    again = {bn: lrp.relevance(logits, x, other, bn=bn)[0] for bn in ("constant", "batch_grad", "native")}
    assert torch.equal(first["constant"], again["constant"])
    torch.testing.assert_close(first["batch_grad"], first["constant"], rtol=1e-12, atol=1e-12)
    assert (first["native"] - again["native"]).abs().max() > 0.01 * first["native"].abs().max()
