import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import sobel
from scipy.stats import spearmanr
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError
from benchmark.explainers.integrated_gradients import explain
from benchmark.guards.randomisation import randomised, similarity


class Odd(nn.Module):
    """Parameters outside of layers, a single number, fresh gains, a frozen one, a tied one, and a table."""

    def __init__(self):
        super().__init__()
        self.token, self.scale = nn.Parameter(torch.linspace(-1, 1, 6)), nn.Parameter(torch.tensor(2.0))
        self.norm, self.own = nn.InstanceNorm2d(2, affine=True, track_running_stats=True), nn.BatchNorm2d(2)
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.first.bias.requires_grad_(False)
        self.empty = nn.Parameter(torch.zeros(0))
        self.register_buffer("table", torch.arange(6.0))

    def forward(self, image):
        flat = self.own(self.norm(image)).mean((1, 2))
        return self.scale * self.second(self.first(flat + self.token + self.table))


def network(kind):
    torch.manual_seed(0)
    if kind == "odd":
        return Odd().eval(), torch.rand(5, 2, 6, 6)
    return create_classifier(Task(kind, 3, 1, 28, 28)).eval(), torch.rand(5, 1, 28, 28)


KINDS = ["test_resnet", "test_vit patch_size=4", "odd"]


def as_trained(model):
    """Affine and running statistics away from where they start."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return model


# --- the randomised copy -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_another_and_the_original_is_bit_identical(kind):
    model, image = network(kind)
    before = copy.deepcopy(model.state_dict())
    twin = randomised(model, 0, image)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    pairs = dict(model.named_parameters()), dict(twin.named_parameters())
    assert pairs[0].keys() == pairs[1].keys()
    for name, parameter in pairs[0].items():
        other = pairs[1][name]
        assert (parameter != other).all(), name
        assert (parameter.dtype, parameter.shape) == (other.dtype, other.shape)
        assert parameter.requires_grad == other.requires_grad
        if parameter.numel() > 500:
            assert abs(np.corrcoef(parameter.detach().flatten(), other.detach().flatten())[0, 1]) < 0.2, name
    with torch.no_grad():
        assert not torch.allclose(model(image), twin(image), atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_every_number(kind):
    model, image = network(kind)
    first, again, other = (randomised(model, seed, image).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    for name, _ in model.named_parameters():
        assert (first[name] != other[name]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_global_random_states_and_modes_are_left_alone(kind):
    model, image = network(kind)
    model.train()
    kept = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    twin = randomised(model, 0, image)
    assert torch.equal(torch.get_rng_state(), kept[0])
    np.testing.assert_array_equal(np.random.get_state()[1], kept[1])  # noqa: NPY002
    assert all(module.training for module in model.modules())
    assert not any(module.training for module in twin.modules())
    momenta = [[getattr(module, "momentum", None) for module in each.modules()] for each in (model, twin)]
    assert momenta[0] == momenta[1]


def test_a_tensor_keeps_its_mean_and_spread():
    model = nn.Linear(300, 200)
    with torch.no_grad():
        model.weight.normal_(0.7, 3.0, generator=torch.Generator().manual_seed(0))
    drawn = randomised(model, 1).weight.detach()
    # 60,000 numbers: standard errors 0.012 and 0.009
    assert drawn.mean().item() == pytest.approx(0.7, abs=0.07)
    assert drawn.std().item() == pytest.approx(3.0, abs=0.05)


def test_tensors_without_spread_move_a_little():
    model = nn.BatchNorm2d(4000)
    twin = randomised(model, 0)
    assert twin.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert twin.weight.std().item() == pytest.approx(0.1, rel=0.1)
    assert twin.bias.mean().item() == pytest.approx(0, abs=0.01)
    assert twin.bias.std().item() == pytest.approx(0.1, rel=0.1)


def test_tables_stay_and_tied_weights_stay_tied():
    model, image = network("odd")
    twin = randomised(model, 0, image)
    assert torch.equal(twin.table, model.table)
    assert twin.second.weight is twin.first.weight
    assert not twin.first.bias.requires_grad


def test_a_parameter_that_is_added_moves_no_other():
    model, image = network("odd")
    alone = randomised(model, 0, image)
    model.gate = nn.Parameter(torch.ones(3))
    beside = randomised(model, 0, image)
    for name, parameter in alone.named_parameters():
        assert torch.equal(parameter, dict(beside.named_parameters())[name])


def test_running_statistics_are_those_of_the_images():
    model, image = network("test_resnet")
    as_trained(model)
    image = torch.rand(64, 1, 28, 28)
    twin, seen = randomised(model, 0, image), []
    norms = [module for module in twin.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) > 3
    for norm in norms:
        norm.register_forward_hook(lambda module, given, out: seen.append((module, given[0])))
    with torch.no_grad():
        twin(image)
    assert [module for module, _ in seen] == norms
    for norm, inside in seen:
        # the forward that found them normalised by the biased variance, so all but the first layer are near, not equal
        spread = inside.std((0, 2, 3))
        assert (((inside.mean((0, 2, 3)) - norm.running_mean) / spread).abs() < 0.05).all()
        torch.testing.assert_close(norm.running_var, spread**2, rtol=0.1, atol=1e-6)


def test_without_images_running_statistics_start_anew():
    model, _ = network("test_resnet")
    twin = randomised(as_trained(model), 0)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.running_mean == 0).all()
            assert (module.running_var == 1).all()


def test_faults_of_a_model_are_told():
    model, image = network("test_resnet")
    with pytest.raises(BenchmarkError, match="images for running statistics; got 1; expected at least 2"):
        randomised(model, 0, image[:1])
    with pytest.raises(BenchmarkError, match="running statistics of a randomised model are not finite"):
        randomised(model, 0, torch.full_like(image, torch.nan))
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(BenchmarkError, match=r"parameter 'conv1\.0\.weight' is not finite"):
        randomised(model, 0, image)


# --- how alike two maps are --------------------------------------------------------------------------


def maps(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape or (3, 6, 7))


def test_similarity_by_hand():
    # squared differences of the ranks: four times 1, so 1 - 6 · 4 / (4 · 15)
    first, second = np.array([[[1.0, -2.0], [3.0, 4.0]]]), np.array([[[20.0, 10.0], [40.0, -30.0]]])
    assert similarity(first, second) == pytest.approx([0.6])
    assert similarity(first, -first).tolist() == [1]
    assert similarity(first, 1 / first).tolist() == [-1]


def test_against_scipy():
    first, second = maps(0), maps(1)
    expected = [spearmanr(a, b, axis=None).statistic for a, b in zip(np.abs(first), np.abs(second), strict=True)]
    np.testing.assert_allclose(similarity(first, second), expected, atol=1e-12)


def test_pixels_where_both_maps_are_silent_say_nothing():
    first, second = maps(0), maps(1)
    alone = similarity(first, second)
    framed = similarity(np.pad(first, ((0, 0), (9, 9), (9, 9))), np.pad(second, ((0, 0), (9, 9), (9, 9))))
    np.testing.assert_allclose(framed, alone, atol=1e-12)
    assert (np.abs(alone) < 0.5).all()
    # where only one of them is silent, they differ
    half = np.where(np.arange(7) < 3, first, 0)
    assert (similarity(half, first - half) < -0.5).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_properties_of_similarity(seed):
    first, second = maps(seed), maps(seed + 1)
    first[:, :2] = second[:, :3] = 0
    found = similarity(first, second)
    assert ((found >= -1) & (found <= 1)).all()
    np.testing.assert_allclose(similarity(second, first), found, atol=1e-12)
    np.testing.assert_allclose(similarity(-3e-5 * first, second**3), found, atol=1e-12)
    turned = similarity(first[:, ::-1, ::-1], second[:, ::-1, ::-1])
    np.testing.assert_allclose(turned, found, atol=1e-12)
    np.testing.assert_allclose(similarity(first, first), 1, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.4, -0.1])
def test_a_constant_map_has_no_similarity(level):
    flat, map_ = np.full((2, 4, 4), level), maps(0, 2, 4, 4)
    assert np.isnan(similarity(flat, map_)).all()
    assert np.isnan(similarity(map_, flat)).all()
    assert np.isnan(similarity(flat, flat)).all()


def test_undefined_is_only_where_it_must_be():
    first, second = maps(0), maps(1)
    first[1] = 0.0
    assert np.isfinite(similarity(first, second)).tolist() == [True, False, True]


def test_maps_that_share_only_the_image_are_as_alike_as_the_rule_says():
    draws = np.random.default_rng(0)
    image, first, second = draws.random((20, 40, 40)), draws.normal(size=(20, 40, 40)), draws.normal(size=(20, 40, 40))
    assert similarity(image * first, image * second).mean() == pytest.approx(0.41, abs=0.01)


def test_an_edge_detector_does_not_depend_on_the_weights_and_integrated_gradients_do():
    model, image = network("test_resnet")
    twin, target = randomised(model, 0, image), torch.tensor([0, 1, 2, 0, 1])

    def edges(model, image, target):
        return torch.from_numpy(sobel(image.numpy(), axis=-1))

    def pair(explainer):
        return (explainer(each, image, target).sum(1).numpy() for each in (model, twin))

    np.testing.assert_allclose(similarity(*pair(edges)), 1, atol=1e-12)
    assert (similarity(*pair(explain)) < 0.6).all()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((2, 1, 4, 4)), np.ones((2, 1, 4, 4)), "Sum the relevance over channels first"),
        (np.ones((2, 4, 4)), np.ones((2, 4, 5)), "shapes"),
        (np.ones((2, 4, 4)), np.stack([np.ones((4, 4)), np.full((4, 4), np.inf)]), "relevance of image 1"),
        (np.full((2, 4, 4), np.nan), np.ones((2, 4, 4)), "relevance of image 0"),
    ],
)
def test_faults_of_maps_are_told(first, second, message):
    with pytest.raises(BenchmarkError, match=message):
        similarity(first, second)
