"""What every explainer keeps, on a convolutional network and on a transformer."""

import copy
import random

import numpy as np
import pytest
import torch
from explained import Given, Masked, convolutional, seen, transformer

from benchmark.explainers.conventions import EXPLAINER_FACTS
from benchmark.registry import EXPLAINERS

FITTING = [
    *((name, convolutional) for name in sorted(EXPLAINER_FACTS) if name not in ("attention_rollout", "lrp_epsilon")),
    *((name, transformer) for name in sorted(EXPLAINER_FACTS) if name not in ("grad_cam", "lrp_epsilon")),
]
"""LRP has tests of its own."""

every = pytest.mark.parametrize(("name", "make"), FITTING, ids=[f"{name}-{make.__name__}" for name, make in FITTING])


def explainer(name):
    return EXPLAINERS.get(name)


def numpy_state():
    return np.random.get_state()[1].tolist()  # noqa: NPY002 (the one that others draw from)


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


@every
def test_a_map_has_the_shape_and_type_of_the_images_and_no_graph(name, make):
    image, target = seen()
    found = explainer(name)(make().eval(), image, target)
    assert (found.shape, found.dtype, found.requires_grad) == (image.shape, image.dtype, False)
    assert found.isfinite().all()
    assert (found.abs().amax((1, 2, 3)) > 0).sum() >= 3  # a rectified map may be empty
    found.zero_()  # whole memory of its own, not a view that channels share
    assert explainer(name)(make().eval(), image, target).abs().sum() > 0


@every
@pytest.mark.parametrize("training", [False, True])
def test_model_images_and_random_numbers_are_left_as_they_were(name, make, training):
    model, (image, target) = make(), seen()
    model.train(training)
    next(iter(model.children())).train(not training)  # a mode that differs from module to module
    next(model.parameters()).requires_grad_(False)
    before, kept = copy.deepcopy(model.state_dict()), image.clone()
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    states = torch.get_rng_state(), numpy_state(), random.getstate()
    explainer(name)(model, image, target)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (numpy_state(), random.getstate()) == states[1:]
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted
    assert all(parameter.grad is None for parameter in model.parameters())
    assert hooks(model) == 0
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(image, kept)
    assert not image.requires_grad


@every
def test_a_model_in_training_is_explained_as_it_is_deployed(name, make):
    image, target = seen()
    deployed = explainer(name)(make().eval(), image, target)
    assert torch.equal(explainer(name)(make().train(), image, target), deployed)


@every
def test_an_image_has_the_same_map_in_any_company(name, make):
    model, (image, target) = make().eval(), seen(count=7)
    together = explainer(name)(model, image, target)
    for row in range(7):
        alone = explainer(name)(model, image[row : row + 1], target[row : row + 1])
        torch.testing.assert_close(alone, together[row : row + 1], rtol=1e-4, atol=1e-6)
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    torch.testing.assert_close(
        explainer(name)(model, image[order], target[order]), together[order], rtol=1e-4, atol=1e-6
    )


@every
def test_the_same_question_has_the_same_answer(name, make):
    model, (image, target) = make().eval(), seen()
    first = explainer(name)(model, image, target)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    with torch.no_grad():
        assert torch.equal(explainer(name)(model, image, target), first)


@every
@pytest.mark.parametrize("at_once", [1, 10, 10_000])
def test_each_image_of_an_oracle_is_explained_with_its_own_mask(name, make, at_once, monkeypatch):
    monkeypatch.setattr("benchmark.explainers.chunk.PIXELS", at_once * 16 * 16)
    image, target = seen(count=4)
    mask = torch.zeros(4, 1, 16, 16)
    for row in range(4):
        mask[row, :, 4 * row : 4 * row + 4] = 1
    model = Masked(make()).eval()
    together = explainer(name)(Given(model, mask), image, target)
    for row in range(4):
        alone = Given(model, mask[row : row + 1])
        expected = explainer(name)(alone, image[row : row + 1], target[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], expected, rtol=1e-4, atol=1e-6)


@every
def test_the_declared_conventions_are_those_of_the_maps(name, make):
    facts, (image, target) = EXPLAINER_FACTS[name], seen()
    model = make().eval()
    found = explainer(name)(model, image, target)
    assert bool((found >= 0).all()) == (facts.sign == "positive")
    assert torch.equal(found, explainer(name)(model, image, (target + 1) % 3)) != facts.target_dependent
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    assert torch.equal(found, explainer(name)(model, image, target)) != facts.looks_at_model


@pytest.mark.parametrize(("name", "make"), [("grad_cam", transformer), ("attention_rollout", convolutional)])
def test_a_refused_model_is_left_as_it_was(name, make):
    model, (image, target) = make().train(), seen()
    with pytest.raises(NotImplementedError):
        explainer(name)(model, image, target)
    assert model.training
    assert hooks(model) == 0
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", sorted(set(EXPLAINER_FACTS) - {"attention_rollout", "lrp_epsilon"}))
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 20)])
def test_images_of_any_channels_and_sides(name, shape):
    image = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    found = explainer(name)(convolutional(channels=shape[0]).eval(), image, torch.tensor([0, 2]))
    assert found.shape == image.shape
    assert found.isfinite().all()
