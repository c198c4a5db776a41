import numpy as np
import torch
from captum.attr import GradientShap
from torch import nn

from benchmark.explainers import gradient_shap, integrated_gradients
from benchmark.explainers.gradient_shap import baselines, explain


class Of(nn.Module):
    """Logits by a function of the flat images ``[B, D]``."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image.flatten(1))


def images(count, channels=2, side=4):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, side, side, generator=generator, dtype=torch.float64)


def test_the_baselines_are_black_grey_white_and_the_same_noise_for_everybody():
    first, second = baselines(images(2)), baselines(torch.zeros(7, 2, 4, 4))
    assert first.shape == (4, 2, 4, 4)
    assert [level.unique().tolist() for level in first[:3]] == [[0.0], [0.5], [1.0]]
    torch.testing.assert_close(second, first.float())
    noise = baselines(torch.zeros(1, 3, 64, 64))[3]
    # uniform in [0, 1]: mean 1/2, standard deviation 1/sqrt(12)
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert abs(noise.mean().item() - 0.5) < 0.02
    assert abs(noise.std().item() - 12**-0.5) < 0.02


def test_a_linear_model_in_closed_form():
    image = images(3)
    weight = torch.randn(2, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = Of(lambda x: x @ weight.T)
    found = explain(model, image, torch.tensor([0, 1, 1]))
    difference = image - baselines(image).mean(0)
    for row, target in enumerate([0, 1, 1]):
        torch.testing.assert_close(found[row], weight[target].reshape(2, 4, 4) * difference[row])


def test_from_black_alone_it_is_integrated_gradients_and_for_a_linear_model_input_times_weight(monkeypatch):
    monkeypatch.setattr(gradient_shap, "baselines", lambda image: torch.zeros_like(image[:1]))
    image, target = images(3), torch.tensor([0, 1, 1])
    weight = torch.randn(2, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = Of(lambda x: x @ weight.T)
    found = explain(model, image, target)
    torch.testing.assert_close(found, integrated_gradients.explain(model, image, target))
    torch.testing.assert_close(found, weight[target].reshape(3, 2, 4, 4) * image)


def test_relevance_sums_to_the_logit_above_its_mean_over_the_baselines():
    # four Gauss points integrate the slope of a polynomial of degree 8 exactly
    model = Of(lambda x: torch.stack([x.mean(1) ** 8, (x**3).sum(1) - x[:, 0] * x[:, 5]], 1))
    image, target = images(6), torch.arange(6) % 2
    with torch.no_grad():
        logits, start = model(image), model(baselines(image)).mean(0)
    expected = logits.gather(1, target[:, None])[:, 0] - start[target]
    torch.testing.assert_close(explain(model, image, target).sum((1, 2, 3)), expected)


def test_a_black_mark_that_the_judge_cannot_see_is_seen():
    # class 0 speaks where the first pixel is dark
    model = Of(lambda x: torch.relu(0.8 - x[:, :1]))
    image, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
    image[..., 0] = 0.0
    assert integrated_gradients.explain(model, image, target).abs().max() == 0
    found = explain(model, image, target).flatten()
    assert found[0] > 0.1
    assert found[1] == 0


def test_random_baselines_and_places_come_to_the_same_in_the_mean():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (captum draws from it)
    network = nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    image, target, samples = images(2), torch.tensor([0, 2]), 4000
    drawn = GradientShap(network).attribute(
        image, baselines=baselines(image), target=target, n_samples=samples, stdevs=0.0
    )
    found = explain(network, image, target)
    # one draw scatters by about the size of its relevance
    scatter = 5 * found.abs().max().item() / samples**0.5
    torch.testing.assert_close(found, drawn.detach(), rtol=0, atol=scatter)
    assert found.abs().max().item() > 10 * scatter
