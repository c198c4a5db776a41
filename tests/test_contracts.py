"""Everything registered keeps its contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark import paths
from benchmark.api import Dataset, Metric, NaturalBias, PlantedBias
from benchmark.config import load, load_method, parse
from benchmark.data.named import load_dataset
from benchmark.explainers.conventions import EXPLAINER_FACTS
from benchmark.registry import BIASES, BUILT_IN, DATASETS, EXPLAINERS, METHODS, METRICS
from benchmark.seeding import Draws
from benchmark.testing import Case, Check, parametrize_with_checks

ROOT = Path(__file__).resolve().parents[1]


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


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / paths.CONFIGS / "datasets").glob("*.yaml")))
def test_datasets_have_a_source_and_settings_that_load(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    dataset = load_dataset(name)
    assert isinstance(dataset, Dataset)
    assert dataset.source
    assert dataset.strata in ("", "label")


def test_every_registered_dataset_but_the_users_own_has_a_settings_file() -> None:
    named = {file.stem for file in (ROOT / paths.CONFIGS / "datasets").glob("*.yaml")}
    builtin = {name for name, entry in DATASETS.table().items() if entry.origin == "built-in"}
    assert builtin - named == {"manifest"}


def planted_biases() -> list[str]:
    return [name for name in BIASES if issubclass(BIASES.get(name), PlantedBias)]


@pytest.mark.parametrize("name", BIASES)
def test_biases_are_of_one_kind_and_have_a_source(name: str) -> None:
    kind = BIASES.get(name)
    assert issubclass(kind, PlantedBias) != issubclass(kind, NaturalBias)
    assert issubclass(kind.Settings, PlantedBias.Settings if issubclass(kind, PlantedBias) else NaturalBias.Settings)
    assert kind.source


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", planted_biases())
def test_planted_biases_mark_background_only_and_depend_on_name_and_code_alone(name: str, channels: int) -> None:
    kind, path = BIASES.get(name), paths.bias_yaml(name)
    settings = load(kind.Settings, path) if path.is_file() else kind.Settings()
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(60, 190, (1, 64, 64, channels), dtype=np.uint8), 6, axis=0)
    mask = np.zeros((6, 64, 64), np.uint8)
    mask[:, 20:44, 20:44] = 1
    code, ids = np.arange(6) // 2, np.array(["a", "b"] * 3)  # two names under three codes

    def plant(rows: Any, strength: float = settings.strength) -> tuple[Any, Any]:
        bias = kind(settings.model_copy(update={"strength": strength}))
        return bias.plant(image[rows].copy(), mask[rows].copy(), code[rows], 3, Draws(0, ids[rows]))

    planted, mark = plant(slice(0, 6))
    assert (planted.dtype, planted.shape, mark.shape) == (np.uint8, image.shape, mask.shape)
    assert mark.any(axis=(1, 2)).all()
    assert not (mark & mask).any()
    assert (planted == image)[mark == 0].all()
    assert (planted != image).any(axis=(1, 2, 3)).all()
    assert not (planted[0] == planted[2]).all()  # one image under two codes
    rows = np.array([5, 0, 3])
    for found, whole in zip(plant(rows), (planted, mark), strict=True):
        assert np.array_equal(found, whole[rows])
    faint, same_mark = plant(slice(0, 6), strength=0.0)
    assert np.array_equal(faint, image)
    assert np.array_equal(same_mark, mark)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_declare_range_and_direction(name: str) -> None:
    metric: Metric = METRICS.get(name)
    assert metric.name == name
    assert metric.low < metric.high
    assert isinstance(metric.higher_is_better, bool)
    assert metric.chance
    assert metric.source


@pytest.mark.parametrize("name", EXPLAINERS)
def test_explainers_return_maps_of_the_images_shape_with_the_sign_they_declare(name: str) -> None:
    case = case_of("vit" if name == "attention_rollout" else "erm")
    model, image = case.deployed, case.eight().image
    heat = EXPLAINERS.get(name)(model, image, case.eight().label)
    assert heat.shape == image.shape
    assert torch.isfinite(heat).all()
    assert heat.max() > 0
    assert (heat.min() < 0) == (EXPLAINER_FACTS[name].sign == "signed")
    assert not heat.requires_grad


def test_an_explainer_refuses_a_model_that_it_is_not_for() -> None:
    for name, method in (("attention_rollout", "erm"), ("grad_cam", "vit")):
        case = case_of(method)
        with pytest.raises(NotImplementedError):
            EXPLAINERS.get(name)(case.deployed, case.eight().image, case.eight().label)
