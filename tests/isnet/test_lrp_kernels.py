"""Each kernel's own backward is the derivative of its formula, and so is the backward of that."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from isnet.lrp.convolutions import Geometry, has_few_channels, has_few_places, to_input, to_output, to_weight
from isnet.lrp.kernels import channel_scale, conv_input, epsilon_relu, normed_relu


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

    def test_normed_relu(self, check) -> None:
        g, y, s = draw(2, 3, 2, 2), draw(2, 3, 2, 2, positive=True), draw(3)
        assert check(lambda g, y, s: normed_relu(g, y, s, 0.1), (g, y, s))

    def test_convolution_with_few_places(self, check) -> None:
        x, geometry = torch.zeros(1, 2, 3, 3, dtype=torch.float64), Geometry([2, 2], [1, 1], [1, 1], False, [0, 0], 1)
        assert check(lambda g, w: conv_input(g, w, x, geometry), (draw(1, 16, 2, 2), draw(16, 2, 3, 3)))

    @pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
    def test_convolution_backward(self, check, stride: int, groups: int) -> None:
        x = torch.zeros(2, 4, 5, 5, dtype=torch.float64)
        geometry = Geometry([stride] * 2, [1, 1], [1, 1], False, [0, 0], groups)
        size = 5 if stride == 1 else 3
        assert check(lambda g, w: conv_input(g, w, x, geometry), (draw(2, 2, size, size), draw(2, 4 // groups, 3, 3)))


def test_values_are_those_of_the_formulas() -> None:
    g, y = draw(2, 3, 2, 2), torch.relu(draw(2, 3, 2, 2))
    torch.testing.assert_close(epsilon_relu(g, y, 0.5), g * y / (y + 0.5))
    x, w = draw(2, 2, 5, 5), draw(3, 2, 3, 3)
    out = functional.conv2d(x, w, padding=1)
    g = draw(*out.shape)
    (expected,) = torch.autograd.grad(out, x, g)
    torch.testing.assert_close(conv_input(g, w, x, Geometry([1, 1], [1, 1], [1, 1], False, [0, 0], 1)), expected)


def test_several_maps_share_the_weights_only() -> None:
    with pytest.raises(ValueError, match="only g may differ"):
        torch.vmap(lambda s: channel_scale(torch.ones(2, 3, 2, 2), s))(torch.ones(4, 3))


@pytest.mark.parametrize(("channels", "out", "size", "kernel", "stride", "padding"), [
    (3, 8, (9, 12), (7, 7), 2, 3),
    (3, 8, (10, 11), (3, 5), 2, 1),
    (2, 8, (13, 13), (4, 4), 3, 0),
    (1, 8, (16, 16), (7, 7), 4, 2),
    (3, 8, (18, 18), (3, 3), 2, 0),
    (5, 64, (4, 4), (3, 3), 2, 1),
    (5, 128, (3, 3), (1, 1), 1, 0),
])  # fmt: skip
def test_faster_roads_give_pytorchs_own_products(channels, out, size, kernel, stride, padding) -> None:
    geometry = Geometry([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
    h, w = draw(2, channels, *size), draw(out, channels, *kernel)
    expected = functional.conv2d(h, w, stride=stride, padding=padding)
    g = draw(*expected.shape)
    assert has_few_channels(g, w, geometry) or has_few_places(g, w, geometry)
    to_h, to_w = torch.autograd.grad(expected, (h, w), g)
    torch.testing.assert_close(to_input(g, w, h, geometry), to_h)
    torch.testing.assert_close(to_output(h, w, geometry, like=g), expected)
    torch.testing.assert_close(to_weight(g, h, w, geometry), to_w)


def test_maps_beside_each_other_share_a_sum() -> None:
    g, y, s = draw(3, 2, 3, 2, 2), draw(2, 3, 2, 2, positive=True), draw(3)
    together = torch.vmap(lambda g: normed_relu(g, y, s, 0.1))(g)
    apart = torch.stack([channel_scale(epsilon_relu(one, y, 0.1), s) for one in g])
    weights = torch.arange(together.numel(), dtype=torch.float64).view(together.shape)
    for found, expected in zip(
        *(torch.autograd.grad(each, (g, y, s), weights) for each in (together, apart)), strict=True
    ):
        torch.testing.assert_close(found, expected)
