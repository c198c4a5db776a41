import torch

from isnet import path
from isnet.targets import choose


def test_blend_keeps_the_foreground_and_moves_the_background() -> None:
    x = torch.tensor([[0.8, 0.4]]).view(1, 1, 1, 2)
    mask = torch.tensor([[1.0, 0.0]]).view(1, 1, 1, 2)
    at = {alpha: path.blend(x, mask, torch.full((1, 1, 1, 1), alpha), background=0.2) for alpha in (0.0, 0.5, 1.0)}
    torch.testing.assert_close(at[0.0].flatten(), torch.tensor([0.8, 0.2]))
    torch.testing.assert_close(at[0.5].flatten(), torch.tensor([0.8, 0.3]))
    torch.testing.assert_close(at[1.0], x)


def test_sampled_points_are_uniform_along_the_path() -> None:
    x, mask = torch.ones(4000, 1, 1, 1), torch.zeros(4000, 1, 1, 1)
    alpha = path.sample(x, mask, torch.Generator().manual_seed(0)).flatten()
    quantiles = torch.quantile(alpha, torch.tensor([0.1, 0.5, 0.9]))
    torch.testing.assert_close(quantiles, torch.tensor([0.1, 0.5, 0.9]), atol=0.03, rtol=0)


def test_path_average_of_gradients_equals_the_change_of_the_logit() -> None:
    """Completeness, on which the method rests, for a function that a gradient at the end point does not explain."""

    def f(x: torch.Tensor) -> torch.Tensor:
        return (1 - 4 * x[:, 0, 0, 1]).relu()  # the mark switches a unit off: its gradient at x = 1 is zero

    x = torch.ones(1, 1, 1, 2, dtype=torch.float64)
    mask = torch.tensor([[1.0, 0.0]], dtype=torch.float64).view(1, 1, 1, 2)
    points = torch.linspace(0, 1, 2001, dtype=torch.float64).view(-1, 1, 1, 1)
    on_path = path.blend(x, mask, points).requires_grad_()
    (grad,) = torch.autograd.grad(f(on_path).sum(), on_path)
    effect = (grad[..., 1] * x[..., 1]).mean()
    assert grad[-1].abs().sum() == 0
    torch.testing.assert_close(effect, (f(x) - f(x * mask)).squeeze(), atol=2e-3, rtol=0)


def test_stochastic_target_is_the_highest_logit_half_of_the_time_else_uniform() -> None:
    logits = torch.zeros(6000, 4)
    logits[:, 2] = 1.0
    target = choose("stochastic", logits, torch.zeros(6000, dtype=torch.int64), torch.Generator().manual_seed(0))
    share = torch.bincount(target, minlength=4) / 6000
    torch.testing.assert_close(share, torch.tensor([1 / 6, 1 / 6, 1 / 2, 1 / 6]), atol=0.02, rtol=0)


def test_label_target_is_the_label() -> None:
    label = torch.tensor([3, 0])
    assert choose("label", torch.rand(2, 4), label, torch.Generator()) is label
