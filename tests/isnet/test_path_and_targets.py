import math

import pytest
import torch
from networks import images, residual

from isnet import lrp, path
from isnet.targets import choose, max_probability, selective


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


def test_one_class_targets_and_all_logits() -> None:
    logits, label = torch.tensor([[1.0, 5.0, -2.0], [0.5, 0.0, 3.0]]), torch.tensor([0, 1])
    found = {
        kind: choose(kind, logits, label, torch.Generator()).tolist()
        for kind in ("highest", "lowest", "original", "all")
    }
    assert found == {
        "highest": [1, 2],
        "lowest": [2, 1],
        "original": [[0, 1, 2], [0, 1, 2]],
        "all": [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
    }
    assert torch.equal(choose("selective", logits, label, torch.Generator()), selective(logits, torch.tensor([2, 1])))
    of_label = choose("selective", logits, label, torch.Generator(), selected="label")
    assert torch.equal(of_label, selective(logits, label))


def test_a_single_logit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 logits, got 1: give a binary classifier two outputs"):
        choose("stochastic", torch.rand(2, 1), torch.zeros(2, dtype=torch.int64), torch.Generator())


def log_odds_weights(logits: torch.Tensor, cls: torch.Tensor, stabiliser: float) -> torch.Tensor:
    """Autograd through the softmax, as the authors' code stabilises it."""
    logits = logits.clone().requires_grad_()
    p = logits.softmax(1).gather(1, cls[:, None])
    eta = (p + stabiliser).log() - (1 - p + stabiliser).log()
    return torch.autograd.grad(eta.sum(), logits)[0]


def test_selective_weights_are_the_derivative_of_the_log_odds() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cls = torch.tensor([0, 1, 2, 3, 1])
    torch.testing.assert_close(selective(logits, cls), log_odds_weights(logits, cls, 0.0))


def test_selective_weights_do_not_fade_where_a_stabiliser_makes_them() -> None:
    logits, lowest = torch.tensor([[3.0, 1.0, 0.0, -1.0]]), torch.tensor([3])
    size = {scale: log_odds_weights(scale * logits, lowest, 1e-2)[0, 3].item() for scale in (1, 10)}
    assert size[1] == pytest.approx(0.61, abs=0.01)
    assert size[10] < 1e-14
    for scale in (1, 10, 1000):
        weights = selective(scale * logits, lowest)
        assert weights[0, 3] == 1
        assert weights[0, :3].sum().item() == pytest.approx(-1)


def test_selective_relevance_explains_the_log_odds_through_a_network() -> None:
    net = residual().eval()
    x = images().requires_grad_()
    logits = net(x)
    cls = logits.argmin(1)
    eta = logits.gather(1, cls[:, None]).log_softmax(1).sum()  # keeps the graph; its gradient is 0
    for row, c in enumerate(cls.tolist()):
        others = [k for k in range(3) if k != c]
        eta = eta + logits[row, c] - logits[row, others].logsumexp(0)
    (slope,) = torch.autograd.grad(eta, x, retain_graph=True)
    found = lrp.relevance(logits, x, selective(logits, cls), eps=0.0)  # without a stabiliser: gradient x input
    torch.testing.assert_close(found, x * slope, rtol=1e-9, atol=1e-12)


def test_gradients_flow_through_the_weights() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    cls = torch.tensor([0, 2])
    assert torch.autograd.gradcheck(lambda z: selective(z, cls), logits)
    assert torch.autograd.gradcheck(max_probability, logits)


def test_weights_of_the_largest_probability_are_its_derivative() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    (expected,) = torch.autograd.grad(logits.softmax(1).amax(1).sum(), logits)
    torch.testing.assert_close(max_probability(logits), expected)


def scene(count: int = 3, size: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose objects are bright (100 and more) and whose backgrounds are below 1."""
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(count, 2, size, size, generator=rng)
    mask = torch.zeros(count, 1, size, size)
    for row in range(count):
        mask[row, :, 2 + row : 7 + row, 3:8] = 1
    return torch.where(mask > 0, x + 100, x), mask


@pytest.mark.parametrize("kind", ["zero", "mean", "blur", "other"])
def test_no_foreground_leaks_into_another_background(kind: str) -> None:
    x, mask = scene()
    b = path.background(kind, x, mask, torch.Generator().manual_seed(0)).expand_as(x)
    assert 0 <= b.min() <= b.max() < 1  # objects are brighter than 100
    moved = torch.where(mask > 0, 7.0, x)
    assert torch.equal(b, path.background(kind, moved, mask, torch.Generator().manual_seed(0)).expand_as(x))


def test_mean_background_is_one_colour_of_all_images() -> None:
    x, mask = scene()
    outside = (mask == 0).expand_as(x)
    by_hand = [torch.cat([x[i, c][outside[i, c]] for i in range(3)]).mean() for c in range(2)]
    found = path.background("mean", x, mask, torch.Generator())
    torch.testing.assert_close(found.flatten(), torch.stack(by_hand))


def test_blurred_background_is_a_weighted_mean_by_hand() -> None:
    x, mask = scene(1, 12)
    b = path.blurred(x, mask)
    for i, j in ((0, 0), (4, 5), (11, 3)):  # the second lies inside of the object
        total = weight = 0.0
        for y in range(12):
            for z in range(12):
                if mask[0, 0, y, z] == 0:
                    w = math.exp(-0.5 * ((i - y) ** 2 + (j - z) ** 2) / (12 / 8) ** 2)
                    total, weight = total + w * x[0, 1, y, z].item(), weight + w
        assert b[0, 1, i, j].item() == pytest.approx(total / weight, rel=1e-5)


def test_other_background_is_that_of_another_image_with_its_object_filled() -> None:
    x, mask = scene(4)
    partner = path.partners(4, torch.Generator().manual_seed(3))
    b = path.background("other", x, mask, torch.Generator().manual_seed(3))
    for row, other in enumerate(partner.tolist()):
        assert other != row
        outside = (mask[other] == 0).expand_as(x[other])
        assert torch.equal(b[row][outside], x[other][outside])
        torch.testing.assert_close(b[row][~outside], path.blurred(x, mask)[other][~outside])


@pytest.mark.parametrize("images_", [2, 3, 8])
def test_partners_are_a_random_cycle(images_: int) -> None:
    rng = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(20):
        partner = path.partners(images_, rng).tolist()
        assert sorted(partner) == list(range(images_))
        assert all(other != row for row, other in enumerate(partner))
        seen.add(tuple(partner))
    assert len(seen) > (images_ > 2)
    assert path.partners(1, rng).tolist() == [0]


@pytest.mark.parametrize("kind", ["mean", "blur", "other"])
def test_an_image_without_background_stays_as_it_is_and_lends_the_mean_colour(kind: str) -> None:
    x, mask = scene(2)
    mask[0] = 1
    at = path.towards(kind, x, mask, torch.Generator().manual_seed(0))
    assert torch.isfinite(at).all()
    assert torch.equal(at[0], x[0])
    if kind == "other":
        b = path.background(kind, x, mask, torch.Generator().manual_seed(0))
        torch.testing.assert_close(b[1], path.mean_colour(x, mask).expand_as(x)[0])


def test_towards_zero_is_the_sampled_path_and_none_is_the_image() -> None:
    x, mask = scene()
    expected = path.sample(x, mask, torch.Generator().manual_seed(5))
    assert torch.equal(path.towards("zero", x, mask, torch.Generator().manual_seed(5)), expected)
    assert path.towards("none", x, mask, torch.Generator()) is x


def test_what_the_path_takes_away_is_the_way_to_its_end() -> None:
    x, mask = scene()
    at = path.point("mean", x, mask, torch.Generator().manual_seed(0))
    alpha = path.draw(3, torch.Generator().manual_seed(0))
    end = path.blend(x, mask, torch.zeros(3, 1, 1, 1), path.mean_colour(x, mask))
    taken = torch.where(mask > 0, 0.0, x - at.origin)
    torch.testing.assert_close(at.x, end + alpha * taken)


def test_ends_are_drawn_more_often_than_the_middle_and_clean_images_as_often_as_asked() -> None:
    rng = torch.Generator().manual_seed(0)
    alpha = path.draw(20000, rng, "ends").flatten()
    quantiles = torch.tensor([0.1, 0.25, 0.5, 0.9])  # of Beta(1/2, 1/2): (1 - cos(pi q)) / 2
    by_hand = torch.tensor([(1 - math.cos(math.pi * q)) / 2 for q in quantiles.tolist()])
    torch.testing.assert_close(torch.quantile(alpha, quantiles), by_hand, atol=0.02, rtol=0)
    clean = path.draw(20000, rng, clean=0.3).flatten()
    assert (clean == 1).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert clean[clean < 1].mean().item() == pytest.approx(0.5, abs=0.02)
