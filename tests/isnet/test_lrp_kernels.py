"""Each kernel's own backward is the derivative of its formula, and so is the backward of that."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from isnet.lrp.kernels import channel_scale, conv_input, epsilon_relu


def draw(*shape: int, positive: bool = False) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)
    return (values.abs() + 0.1 if positive else values).requires_grad_()


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
class TestDerivatives:
    @pytest.mark.parametrize("eps", [1e-2, 1.0])
    def test_epsilon_relu(self, check, eps: float) -> None:
        assert check(lambda g, y: epsilon_relu(g, y, eps), (draw(2, 3, 2, 2), draw(2, 3, 2, 2, positive=True)))

    def test_channel_scale(self, check) -> None:
        assert check(channel_scale, (draw(2, 3, 2, 2), draw(3)))

    @pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
    def test_convolution_backward(self, check, stride: int, groups: int) -> None:
        x = torch.zeros(2, 4, 5, 5, dtype=torch.float64)
        geometry = ([stride] * 2, [1, 1], [1, 1], False, [0, 0], groups)
        size = 5 if stride == 1 else 3
        assert check(lambda g, w: conv_input(g, w, x, geometry), (draw(2, 2, size, size), draw(2, 4 // groups, 3, 3)))


def test_values_are_those_of_the_formulas() -> None:
    g, y = draw(2, 3, 2, 2), torch.relu(draw(2, 3, 2, 2))
    torch.testing.assert_close(epsilon_relu(g, y, 0.5), g * y / (y + 0.5))
    x, w = draw(2, 2, 5, 5), draw(3, 2, 3, 3)
    out = functional.conv2d(x, w, padding=1)
    g = draw(*out.shape)
    (expected,) = torch.autograd.grad(out, x, g)
    torch.testing.assert_close(conv_input(g, w, x, ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)), expected)


def test_several_maps_share_the_weights_only() -> None:
    with pytest.raises(ValueError, match="only g may differ"):
        torch.vmap(lambda s: channel_scale(torch.ones(2, 3, 2, 2), s))(torch.ones(4, 3))
