"""A smooth network with stages, as a Grad-CAM needs it, in double precision, and images for it."""

import torch
from torch import nn

from benchmark.api import Batch


class Staged(nn.Module):
    """Two smooth stages that are listed as timm lists them."""

    feature_info = [  # noqa: RUF012
        {"num_chs": 4, "reduction": 1, "module": "first"},
        {"num_chs": 3, "reduction": 2, "module": "second"},
    ]

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Softplus())
        self.second = nn.Sequential(nn.Conv2d(4, 3, 2, stride=2), nn.Tanh())
        self.head = nn.Linear(3, 3)
        self.double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.second(self.first(x))
        return self.head((a + a**2).mean((2, 3)))  # not linear: the weights of the map depend on the map


def batch_of(count: int = 4, size: int = 6) -> Batch:
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(count, 1, size, size, generator=rng, dtype=torch.float64)
    mask = (torch.rand(count, 1, size, size, generator=rng) > 0.6).double()
    return Batch(image, torch.arange(count) % 3, mask)
