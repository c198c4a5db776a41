import numpy as np
import pytest
import torch
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.explainers.integrated_gradients import STEPS, explain


class Of(nn.Module):
    """Logits by a function of the flat images ``[B, D]``."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image.flatten(1))


def images(*rows):
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 1, 1, -1)


def test_the_integral_of_a_quadratic_form_by_hand():
    # f(x) = x' A x with symmetric A: the gradient along the way is 2 t A x, so R_i = x_i (A x)_i
    A = torch.tensor([[2.0, -1.0, 0.5], [-1.0, 0.0, 3.0], [0.5, 3.0, -2.0]], dtype=torch.float64)
    model = Of(lambda x: torch.stack([torch.einsum("bi,ij,bj->b", x, A, x), x.sum(1)], 1))
    image = images([1.0, 2.0, -3.0], [0.5, 0.0, 4.0])
    # A x = (2 - 2 - 1.5, -1 - 9, 0.5 + 6 + 6) = (-1.5, -10, 12.5) and (1 + 2, -0.5 + 12, 0.25 - 8)
    expected = images([-1.5, -20.0, -37.5], [1.5, 0.0, -31.0])
    torch.testing.assert_close(explain(model, image, torch.tensor([0, 0])), expected)


def test_each_image_is_explained_for_its_own_target():
    model = Of(lambda x: torch.stack([x[:, 0] ** 3, 5 * x[:, 1], x[:, 0] * x[:, 1]], 1))
    image = images([2.0, 3.0], [2.0, 3.0], [2.0, 3.0])
    # x³ from 0 to 2; 5 x; x y shared in halves
    expected = images([8.0, 0.0], [0.0, 15.0], [3.0, 3.0])
    torch.testing.assert_close(explain(model, image, torch.tensor([0, 1, 2])), expected)


@pytest.mark.parametrize("threshold", [0.3, 1.0, 1.7, 2.4])
def test_the_integral_of_a_rectified_unit(threshold):
    # w = (1, 2), x = (0.5, 1): the unit opens at t = threshold / 2.5, so R_i = w_i x_i (1 - threshold / 2.5)
    model = Of(lambda x: torch.relu(x @ torch.tensor([[1.0], [2.0]], dtype=torch.float64) - threshold))
    found = explain(model, images([0.5, 1.0]), torch.tensor([0])).flatten().numpy()
    share = found / [0.5, 2.0]
    # a quadrature of positive weights puts the edge of a step right to within its largest weight
    largest = np.polynomial.legendre.leggauss(STEPS)[1].max() / 2
    np.testing.assert_allclose(share, 1 - threshold / 2.5, atol=largest)
    assert share[0] == pytest.approx(share[1])


def test_a_unit_that_the_mark_switches_off_is_seen():
    # class 0 speaks unless the second pixel, the mark, is bright: at the image the unit is dead
    model = Of(lambda x: torch.relu(0.5 - x[:, 1:2]) + 0 * x[:, :1])
    image = images([0.7, 1.0]).requires_grad_()
    (gradient,) = torch.autograd.grad(model(image)[0, 0], image)
    assert (gradient * image == 0).all()
    # f falls from 0.5 to 0 along the way, and only the mark makes it
    found = explain(model, image.detach(), torch.tensor([0])).flatten()
    assert found[0] == 0
    assert found[1].item() == pytest.approx(-0.5, abs=0.04)


def test_black_pixels_get_nothing():
    model = Of(lambda x: torch.exp(x).sum(1, keepdim=True))
    found = explain(model, images([0.0, 1.0]), torch.tensor([0])).flatten()
    assert found.tolist() == [0.0, pytest.approx(np.e - 1)]


def test_relevance_sums_to_the_change_of_the_logit():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(54, 8), nn.Tanh(), nn.Linear(8, 3)
    ).double()
    image = torch.rand(5, 2, 8, 8, dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 0, 1])
    rows = torch.arange(5)
    change = network(image)[rows, target] - network(torch.zeros_like(image))[rows, target]
    torch.testing.assert_close(explain(network, image, target).sum((1, 2, 3)), change.detach())


def test_relevance_of_the_suites_network_sums_to_the_change_of_the_logit():
    torch.manual_seed(0)
    network = create_classifier(Task("test_resnet", 3, 1, 28, 28)).eval()
    image, target = torch.rand(3, 1, 28, 28), torch.tensor([0, 1, 2])
    rows = torch.arange(3)
    with torch.no_grad():
        change = (network(image) - network(torch.zeros_like(image)))[rows, target]
    found = explain(network, image, target).sum((1, 2, 3))
    # rectified units open along the way, so 20 points are not exact
    assert ((found - change).abs() < 0.05 * change.abs().max()).all()


def test_an_image_is_explained_the_same_in_any_company_and_left_alone(monkeypatch):
    monkeypatch.setattr("benchmark.explainers.chunk.PIXELS", 500 * 16)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    image, target = torch.rand(60, 1, 4, 4), torch.arange(60) % 4  # 60 x 20 steps: more than one inner batch
    before = image.clone()
    found = explain(network, image, target)
    assert torch.equal(image, before)
    assert not image.requires_grad
    assert not found.requires_grad
    assert found.shape == image.shape
    assert all(parameter.grad is None for parameter in network.parameters())
    for row in (0, 31, 59):
        alone = explain(network, image[row : row + 1], target[row : row + 1])
        torch.testing.assert_close(found[row : row + 1], alone)
