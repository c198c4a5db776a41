import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from explained import convolutional, seen
from torch import nn

from benchmark.explainers.occlusion import explain


class Linear(nn.Module):
    """``f_k(x) = sum_i w_ki x_i``, with weights ``[K, C, H, W]``."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, image):
        return torch.einsum("kchw,bchw->bk", self.weight, image)


def by_hand(weight, image, window, stride):
    """The mean over the windows of a pixel of the fall that each makes, ``[H, W]``: windows past the edge are cut."""
    _, height, width = image.shape
    filled = image - image.mean((1, 2), keepdims=True)
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for top in range(0, height - window + stride, stride):
        for left in range(0, width - window + stride, stride):
            inside = np.s_[top : top + window, left : left + window]
            total[inside] += (weight * filled)[:, *inside].sum()
            count[inside] += 1
    assert count.min() > 0
    return total / count


@pytest.mark.parametrize(
    ("shape", "window", "stride"),
    [
        ((1, 8, 8), 2, 1),
        ((1, 28, 28), 7, 4),  # 28 / 8 = 3.5, rounded up; the last windows hang over the edge
        ((3, 16, 24), 4, 2),
        ((2, 5, 9), 2, 1),
    ],
)
def test_the_fall_of_a_linear_model_by_hand(shape, window, stride):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    image = torch.rand(3, *shape, generator=generator, dtype=torch.float64)
    found = explain(Linear(weight), image, torch.tensor([0, 1, 1]))
    for row, target in enumerate([0, 1, 1]):
        expected = by_hand(weight[target].numpy(), image[row].numpy(), window, stride)
        np.testing.assert_allclose(found[row].sum(0), expected, rtol=1e-5, atol=1e-6)
        assert (found[row] == found[row, :1]).all()  # in equal parts


def test_an_image_of_one_value_has_nothing_to_lose():
    weight = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    image = torch.full((1, 1, 8, 8), 0.5, dtype=torch.float64)
    assert explain(Linear(weight), image, torch.tensor([0])).abs().max() < 1e-12


def test_what_speaks_against_the_class_is_negative():
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., 0, 0], weight[..., 7, 7] = 1.0, -1.0
    image = torch.zeros(1, 1, 8, 8)
    image[..., 0, 0] = image[..., 7, 7] = 1.0
    found = explain(Linear(weight), image, torch.tensor([0]))[0, 0]
    # covered by the mean, 2 / 64, a corner falls by 62 / 64; the only window over it is the first
    assert found[0, 0].item() == pytest.approx(62 / 64)
    assert found[7, 7].item() == pytest.approx(-62 / 64)


def test_a_saturated_unit_is_seen_without_a_slope():
    class Saturated(nn.Module):
        def forward(self, image):
            return image[:, :, :4, :4].sum((1, 2, 3)).clamp(max=1.0)[:, None]

    image = torch.zeros(1, 1, 16, 16)
    image[..., :4, :4] = 0.25  # the sum is 4 where 1 would do
    slope = torch.autograd.functional.jacobian(Saturated(), image)
    assert slope.abs().max() == 0
    found = explain(Saturated(), image, torch.tensor([0]))[0, 0]
    # the first window alone covers the corner: all 16 pixels become 1 / 64, and the sum 1 / 4
    assert found[0, 0].item() == pytest.approx(0.75)


def test_one_window_at_a_time_gives_the_same(monkeypatch):
    model, (image, target) = convolutional().eval(), seen()
    side, window, stride = 16, 4, 2
    expected = Occlusion(model).attribute(
        image,
        sliding_window_shapes=(2, window, window),
        strides=(2, stride, stride),
        baselines=image.mean((2, 3), keepdim=True).expand(-1, -1, side, side),
        target=target,
    )
    torch.testing.assert_close(explain(model, image, target).sum(1), expected[:, 0], rtol=1e-4, atol=1e-6)
    monkeypatch.setattr("benchmark.explainers.chunk.PIXELS", 1)
    torch.testing.assert_close(explain(model, image, target).sum(1), expected[:, 0], rtol=1e-4, atol=1e-6)
