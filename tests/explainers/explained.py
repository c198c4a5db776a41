"""Small networks that the tests of explainers share."""

import torch
from torch import nn

from benchmark.backbone import import_timm


def convolutional(channels=2, classes=3):
    """Batch norm with statistics, dropout, ReLU in place: everything that a mode or a hook could upset."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, classes),
    )
    network[1].running_mean.normal_()
    network[1].running_var.uniform_(0.5, 2.0)
    return network


def transformer(channels=2, classes=3, **arguments):
    """A vision transformer for images of 16 x 16 px in patches of 4 x 4."""
    timm = import_timm()
    torch.manual_seed(0)
    given = {"img_size": 16, "patch_size": 4, "embed_dim": 12, "depth": 3, "num_heads": 2} | arguments
    network = timm.models.vision_transformer.VisionTransformer(in_chans=channels, num_classes=classes, **given)
    for name, parameter in network.named_parameters():
        if name.endswith("qkv.weight"):  # attention far from uniform
            nn.init.normal_(parameter)
    return network


class Masked(nn.Module):
    """A network of images times masks."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image, mask):
        return self.network(image * mask)


class Given(nn.Module):
    """A network of images and masks at the masks of one batch, however often that batch is stacked."""

    def __init__(self, network, mask):
        super().__init__()
        self.network, self.mask = network, mask

    def forward(self, image):
        copies, rest = divmod(len(image), len(self.mask))
        assert rest == 0
        return self.network(image, self.mask.repeat(copies, 1, 1, 1))


def seen(channels=2, count=5):
    """Images ``[count, channels, 16, 16]`` and a target each."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, channels, 16, 16, generator=generator), torch.arange(count) % 3
