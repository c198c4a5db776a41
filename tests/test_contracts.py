"""Everything registered keeps its contract."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmark import paths
from benchmark.api import Batch, Bias, Dataset, Method, Metric, Options, Task
from benchmark.config import load
from benchmark.registry import BIASES, DATASETS, EXPLAINERS, METHODS, METRICS
from benchmark.training.fit import build

TASK = Task("test_resnet", 3, 1, 28, 28)


def make_method(name: str) -> Method:
    kind = METHODS.get(name)
    method: Method = kind(kind.Settings())
    return method


def eight_images(method: Method) -> Batch:
    """Eight images of three kinds of bars, with masks for a method that declares them."""
    image = torch.zeros(8, 1, 28, 28)
    label = torch.arange(8) % 3
    for row, k in enumerate(label.tolist()):
        image[row, 0, 8 + 4 * k : 11 + 4 * k, 6:22] = 1.0
    mask = torch.nn.functional.max_pool2d(image, 3, 1, 1)
    return Batch(image, label, mask if method.needs.masks else None)


@pytest.mark.parametrize("name", METHODS)
class TestMethod:
    def test_declares_where_it_comes_from_and_what_it_may_be_told(self, name: str) -> None:
        kind = METHODS.get(name)
        assert issubclass(kind, Method)
        assert issubclass(kind.Settings, Options)
        assert kind.source
        assert kind.trained_through is None or kind.trained_through in EXPLAINERS

    def test_deploys_logits_that_do_not_depend_on_the_batch(self, name: str) -> None:
        method = make_method(name)
        model = method.deploy(build(method, TASK, 0)).eval()
        image = eight_images(method).image
        with torch.no_grad():
            together, alone = model(image), torch.cat([model(one[None]) for one in image])
        assert together.shape == (8, 3)
        assert together.dtype == torch.float32
        torch.testing.assert_close(together, alone)

    def test_loss_has_a_gradient_for_every_weight_and_leaves_its_inputs_and_global_generator(self, name: str) -> None:
        method = make_method(name)
        network, batch = build(method, TASK, 0), eight_images(method)
        copy, state = batch.image.clone(), torch.random.get_rng_state()
        terms = method.loss(network, batch, torch.Generator().manual_seed(0))
        terms["loss"].backward()
        assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
        for parameter, weight in network.named_parameters():
            assert weight.grad is not None, parameter
            assert torch.isfinite(weight.grad).all(), parameter
        assert torch.equal(batch.image, copy)
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_equal_generators_give_equal_losses(self, name: str) -> None:
        method = make_method(name)
        network, batch = build(method, TASK, 0).eval(), eight_images(method)
        first, second = (method.loss(network, batch, torch.Generator().manual_seed(7))["loss"] for _ in range(2))
        assert torch.equal(first, second)

    def test_loss_falls_on_eight_images(self, name: str) -> None:
        method = make_method(name)
        network, batch = build(method, TASK, 0), eight_images(method)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        losses = []
        for step in range(40):
            loss = method.loss(network, batch, torch.Generator().manual_seed(step))["loss"]
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_have_a_source_and_settings_that_load(name: str) -> None:
    kind = DATASETS.get(name)
    assert issubclass(kind, Dataset)
    assert kind.source
    assert kind.strata in ("", "label")
    load(kind.Settings, paths.dataset_yaml(name))


@pytest.mark.parametrize("name", BIASES)
def test_biases_mark_background_only_and_repeat_themselves(name: str) -> None:
    kind = BIASES.get(name)
    assert issubclass(kind, Bias)
    assert kind.source
    bias: Bias = kind(load(kind.Settings, paths.bias_yaml(name)))
    image = np.zeros((6, 28, 28, 1), np.uint8)
    mask = np.zeros((6, 28, 28), np.uint8)
    image[:, 9:19, 9:19], mask[:, 8:20, 8:20] = 200, 1

    def plant() -> tuple[Any, Any]:
        return bias.plant(image, mask, np.arange(6) % 3, 3, np.random.default_rng(0))

    (planted, mark), (again, _) = plant(), plant()
    assert planted.dtype == np.uint8
    assert planted.shape == image.shape
    assert not (mark & mask).any()
    assert (planted == image)[mark == 0].all()
    assert (planted == again).all()
    assert (planted[0] == planted[3]).all()  # one code, one mark
    assert not (planted[0] == planted[1]).all()


@pytest.mark.parametrize("name", METRICS)
def test_metrics_declare_range_and_direction(name: str) -> None:
    metric: Metric = METRICS.get(name)
    assert metric.name == name
    assert metric.low < metric.high
    assert isinstance(metric.higher_is_better, bool)
    assert metric.chance
    assert metric.source


@pytest.mark.parametrize("name", EXPLAINERS)
def test_explainers_return_signed_maps_of_the_images_shape(name: str) -> None:
    method = make_method("erm")
    model, image = build(method, TASK, 0).eval(), eight_images(method).image
    heat = EXPLAINERS.get(name)(model, image, torch.arange(8) % 3)
    assert heat.shape == image.shape
    assert torch.isfinite(heat).all()
    assert heat.min() < 0 < heat.max()
    assert not heat.requires_grad
