"""Small networks for the tests, in float64, with every parameter away from its initial value."""

import torch
from torch import nn


class Residual(nn.Module):
    """conv-BN-ReLU, overlapping max pool, a residual block, average pool, linear: what a small ResNet is made of."""

    def __init__(self, channels: int = 2, classes: int = 3) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2, self.bn2 = nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.conv3, self.bn3 = nn.Conv2d(5, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, classes)
        self.relu = nn.ReLU(inplace=True)  # one module, used three times: hooks on modules cannot follow that

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x)))))
        return self.fc(self.relu(x + y).mean((2, 3)))


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random affine and running statistics (fresh BN and zero-initialised gammas hide errors), float64."""
    rng = torch.Generator().manual_seed(seed)
    network = network.double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.normal_(generator=rng)
            module.running_var.uniform_(0.5, 2.0, generator=rng)
    return network


def residual(seed: int = 0) -> Residual:
    torch.manual_seed(seed)
    return randomised(Residual(), seed)


def images(count: int = 2, channels: int = 2, size: int = 6, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
