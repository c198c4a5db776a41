"""Weights that are missing, cut short, of another network or not finite: no score comes of them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.api import Task
from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.scoring.models import load_model
from benchmark.training.job import RECORD
from benchmark.training.seed import WEIGHTS, make_method

TASK = Task("resnet10t", 2, 1, 32, 32, 10)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: value.contiguous() for name, value in make_method("erm", {}).build(TASK).state_dict().items()}


@pytest.fixture
def seed(tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    write_json(tmp_path / RECORD, {"task": vars(TASK)})
    save_file(weights, tmp_path / WEIGHTS)
    return tmp_path


def test_a_whole_model_is_read(seed: Path, weights: dict[str, torch.Tensor]) -> None:
    found = load_model(seed, "erm", {}).state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


@pytest.mark.parametrize("name", [RECORD, WEIGHTS])
@pytest.mark.parametrize("kept", [None, 0, 5, 0.5, -1])
def test_a_file_that_is_missing_or_cut_short_is_one_error(seed: Path, name: str, kept: float | None) -> None:
    content = (seed / name).read_bytes()
    if kept is None:
        (seed / name).unlink()
    else:
        end = len(content.rstrip()) - 1 if kept < 0 else int(kept * len(content)) if kept < 1 else int(kept)
        (seed / name).write_bytes(content[:end])
    with pytest.raises(BenchmarkError, match=r"trained model in .* cannot be read; got .*it is trained again"):
        load_model(seed, "erm", {})


def test_a_header_of_petabytes_is_one_error(seed: Path) -> None:
    (seed / WEIGHTS).write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(BenchmarkError, match="cannot be read; got 'SafetensorError"):
        load_model(seed, "erm", {})


def test_weights_of_another_network_are_refused(seed: Path) -> None:
    held = load_file(seed / WEIGHTS)
    held.popitem()
    save_file(held, seed / WEIGHTS)
    with pytest.raises(BenchmarkError, match=r"cannot be read; got .*Missing key"):
        load_model(seed, "erm", {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(seed: Path, value: float) -> None:
    held = load_file(seed / WEIGHTS)
    name = next(name for name, tensor in held.items() if tensor.is_floating_point())
    held[name].view(-1)[0] = value
    save_file(held, seed / WEIGHTS)
    with pytest.raises(BenchmarkError, match=rf"weight '{name}' in .* is not finite"):
        load_model(seed, "erm", {})
