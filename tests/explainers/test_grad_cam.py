import pytest
import torch
from captum.attr import LayerGradCam
from explained import convolutional, seen
from torch import nn

from benchmark.api import Task
from benchmark.explainers.grad_cam import explain
from benchmark.registry import METHODS


class Pooled(nn.Module):
    """Convolution, ReLU, average pool, linear layer."""

    def __init__(self, channels, width, classes, stride=1):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, width, stride, stride=stride)
        self.act = nn.ReLU()
        self.head = nn.Linear(width, classes)

    def forward(self, image):
        return self.head(self.act(self.conv(image)).mean((2, 3)))


def test_the_map_of_a_pooled_network_in_closed_form():
    # the slope of logit k along A_cij is w_kc / N, so the map is ReLU(sum_c w_kc A_c) / N
    network = Pooled(2, 5, 3).double()
    image = torch.randn(4, 2, 9, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 1])
    found = explain(network, image, target)
    with torch.no_grad():
        features = network.act(network.conv(image))
        expected = torch.einsum("bc,bcij->bij", network.head.weight[target], features).relu() / 63
    torch.testing.assert_close(found.sum(1), expected)
    torch.testing.assert_close(found[:, 0], expected / 2)  # in equal parts a channel
    assert (expected == 0).any()
    assert (expected > 0).any()


def test_a_coarse_map_comes_to_the_images_size_by_bilinear_interpolation():
    # a block of 4 x 4 pixels becomes one of the map; weights of one channel by hand
    network = Pooled(1, 1, 1, stride=4)
    with torch.no_grad():
        network.conv.weight.fill_(1 / 16)
        network.conv.bias.zero_()
        network.head.weight.fill_(1.0)
    image = torch.zeros(1, 1, 32, 32)
    image[..., :4, :4] = 1.0
    found = explain(network, image, torch.tensor([0]))[0, 0]
    # the map is 1 / 64 in the first of its 8 x 8 pixels, whose middle lies at 1.5 of the image's pixels
    line = torch.tensor([1, 1, 7 / 8, 5 / 8, 3 / 8, 1 / 8, 0, 0])
    torch.testing.assert_close(found[:8, :8], line[:, None] * line / 64)
    assert found[8:].abs().max() == 0


def test_the_map_is_captums_of_the_layer_that_was_found():
    model, (image, target) = convolutional().eval(), seen()
    # the second convolution's ReLU, 8 x 8 px
    expected = LayerGradCam(model, model[5]).attribute(image, target=target, relu_attributions=True)
    expected = nn.functional.interpolate(expected, (16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(explain(model, image, target).sum(1), expected[:, 0].detach())


def test_the_map_of_hierarchical_attention_mining_is_the_map_that_it_is_trained_through():
    # the slopes of a log-sum-exp pool sum to 1, so Grad-CAM of its linear head is its activation map over N places
    method = METHODS.get("ham")(METHODS.get("ham").Settings())
    torch.manual_seed(0)
    network = method.build(Task("test_resnet", 3, 1, 28, 28))
    deployed = method.deploy(network).eval()
    image, target = torch.rand(2, 1, 28, 28), torch.tensor([0, 2])
    with torch.no_grad():
        maps = network(image).maps[torch.arange(2), target]
    size = maps.shape[-2:]
    assert size == (7, 7)
    expected = nn.functional.interpolate(maps[:, None], (28, 28), mode="bilinear", align_corners=False) / 49
    torch.testing.assert_close(explain(deployed, image, target), expected, rtol=1e-3, atol=1e-7)
    assert expected.amax() > 0


def test_a_network_without_a_map_is_refused_with_the_reason():
    with pytest.raises(NotImplementedError, match="no convolutional map"):
        explain(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(1, 1, 4, 4), torch.tensor([0]))
