"""Everything registered keeps its contract."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmark import paths
from benchmark.api import Bias, Dataset, Metric
from benchmark.config import load, load_method, parse
from benchmark.registry import BIASES, BUILT_IN, DATASETS, EXPLAINERS, METHODS, METRICS
from benchmark.testing import Case, Check, parametrize_with_checks


def case_of(name: str) -> Case:
    """A method of ours with the options and the backbone of its YAML."""
    kind, path = METHODS.get(name), paths.CONFIGS / "methods" / f"{name}.yaml"
    if not path.is_file():
        return Case(kind(kind.Settings()), name=name)
    file = load_method(path)
    return Case(kind(parse(kind.Settings, file.options, str(path))), backbone=file.training.backbone, name=name)


CASES = [case_of(name) for name, entry in METHODS.table().items() if entry.origin == BUILT_IN]


@parametrize_with_checks(CASES)
def test_methods_keep_their_contract(check: Check) -> None:
    check()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_method_of_ours_declines_the_common_task(case: Case) -> None:
    assert case.built is not None


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
    case = case_of("erm")
    model, image = case.deployed, case.eight().image
    heat = EXPLAINERS.get(name)(model, image, case.eight().label)
    assert heat.shape == image.shape
    assert torch.isfinite(heat).all()
    assert heat.min() < 0 < heat.max()
    assert not heat.requires_grad
