"""A loss on a heatmap has the gradient that finite differences have, through every rule."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from networks import images
from torch import Tensor, nn

from isnet import lrp

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": lambda z: F.relu6(4 * z),
    "clamp": lambda z: z.clamp(-0.3, 0.5),
    "clamp_from_below": lambda z: z.clamp(min=0),
    "clamp_min": lambda z: torch.clamp_min(z, 0),
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
    "leaky_relu_in_place": lambda z: F.leaky_relu(z * 1.5, 0.2, inplace=True),
    "elu": lambda z: F.elu(z, 0.7),
    "elu_in_place": lambda z: F.elu(z * 1.5, 0.7, inplace=True),
    "selu": F.selu,
    "celu": lambda z: F.celu(z, 0.6),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "mish": F.mish,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "square_of_relu": lambda z: F.relu(z) ** 2,
    "gated": lambda z: z * torch.sigmoid(z.mean((2, 3), keepdim=True)),
    "swiglu": lambda z: F.silu(z[:, :2]) * z[:, 2:],
    "softmax_attention": lambda z: (z.flatten(2) @ z.flatten(2).transpose(1, 2)).softmax(-1) @ z.flatten(2),
    "fused_attention": lambda z: F.scaled_dot_product_attention(*[z.flatten(2).transpose(1, 2)[:, None]] * 3),
}
NORMS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "group": lambda: nn.GroupNorm(2, 4),
    "layer": lambda: nn.LayerNorm([4, 6, 6]),
    "rms": lambda: nn.RMSNorm([4, 6, 6]),
}


class Net(nn.Module):
    """Convolution, norm, activation, linear, all weights random."""

    def __init__(self, norm: str, activation: str) -> None:
        super().__init__()
        self.conv, self.norm, self.activation = nn.Conv2d(2, 4, 3, padding=1), NORMS[norm](), ACTIVATIONS[activation]
        self.fc = nn.LazyLinear(2)
        self.double()
        self.eval()(images())
        rng = torch.Generator().manual_seed(0)
        for weight in self.parameters():
            weight.data.normal_(generator=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.activation(self.norm(self.conv(x))).flatten(1))


def directional(net: nn.Module, eps: float, width: float = 1e-6) -> tuple[float, float]:
    """Slope of a heatmap loss along a random direction of all weights: by autograd, and by differences."""
    weights = list(net.parameters())
    rng = torch.Generator().manual_seed(3)
    directions = [torch.randn(weight.shape, generator=rng, dtype=torch.float64) for weight in weights]

    def loss() -> Tensor:
        x = images().requires_grad_()
        return lrp.relevance(net(x), x, torch.tensor([0, 1]), eps=eps, create_graph=True).square().sum().sqrt()

    grads = torch.autograd.grad(loss(), weights, materialize_grads=True)
    slope = sum((grad * direction).sum().item() for grad, direction in zip(grads, directions, strict=True))
    values = []
    for sign in (1, -2):  # up, then down from there
        for weight, direction in zip(weights, directions, strict=True):
            weight.data += sign * width * direction
        values.append(loss().item())
    return slope, (values[0] - values[1]) / (2 * width)


@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_through_every_activation(activation: str, eps: float) -> None:
    slope, expected = directional(Net("none", activation), eps)
    assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("norm", [name for name in NORMS if name != "none"])
def test_through_every_norm(norm: str) -> None:
    slope, expected = directional(Net(norm, "gelu"), 0.1)
    assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6)
