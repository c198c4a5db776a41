"""Precision, and the seams for a training by several processes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jobs import TRAINING, make_job
from lightning_fabric import Fabric
from torch import nn

from baselines.erm import ERM
from baselines.isnet import ISNet
from benchmark.api import Batch, Method, Needs, Task
from benchmark.config import Training, parse
from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.seeding import torch_stream
from benchmark.training import seed
from benchmark.training.data import load_sets
from benchmark.training.device import allow_tf32, fabric_of, precision_of
from benchmark.training.fit import Fit
from benchmark.training.job import RECORD

TASK = Task("test_resnet", 3, 1, 28, 28)


def settings_of(**training: Any) -> Training:
    return parse(Training, {**TRAINING, **training}, "test")


def test_a_training_is_in_float32_without_tf32_unless_its_settings_say_else() -> None:
    assert (settings_of().precision, settings_of().tf32) == ("float32", False)
    with pytest.raises(BenchmarkError, match=r"precision.*'bf16'"):
        settings_of(precision="fp16")


class Noting(ERM):
    """Keeps the type of what its linear layer computes."""

    types: tuple[torch.dtype, ...] = ()

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Any:
        layer = next(module for module in network.modules() if isinstance(module, nn.Linear))
        hook = layer.register_forward_hook(lambda *call: setattr(self, "types", (*self.types, call[-1].dtype)))
        terms = super().loss(network, batch, rng)
        hook.remove()
        return terms


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_forward_runs_in_the_asked_precision_and_the_weights_stay_in_float32(
    pack: Path, precision: str, expected: torch.dtype
) -> None:
    method, settings = Noting(ERM.Settings()), settings_of(epochs=1, precision=precision)
    fit = Fit(method, TASK, settings, 0, load_sets(pack, method.needs), fabric_of(settings, method, "cpu"))
    state = fit.run(lambda _: None)
    assert set(method.types) == {expected}
    assert {value.dtype for value in state.best.values() if value.is_floating_point()} == {torch.float32}
    assert np.isfinite(state.log[0]["val_loss"])


def test_what_is_trained_through_its_heatmaps_keeps_float32_to_the_bit(pack: Path, tmp_path: Path) -> None:
    assert precision_of(settings_of(precision="bf16"), ISNet(ISNet.Settings())) == "float32"
    folders = []
    for precision in ("float32", "bf16"):
        job = make_job(pack, tmp_path / precision / "seed-0", "isnet", epochs=1, precision=precision)
        seed.run(job, lambda *_: None)
        folders.append(job.folder)
        assert read_json(job.folder / RECORD)["precision"] == "float32"
    first, second = ((folder / seed.WEIGHTS).read_bytes() for folder in folders)
    assert first == second


def test_the_record_names_the_precision_and_another_precision_is_another_training(pack: Path, tmp_path: Path) -> None:
    job = make_job(pack, tmp_path / "seed-0", epochs=1, precision="bf16")
    seed.run(job, lambda *_: None)
    assert read_json(job.folder / RECORD)["precision"] == "bf16"
    assert not make_job(pack, tmp_path / "seed-0", epochs=1).is_in(job.folder)


def test_tf32_is_what_the_setting_says() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        for allowed in (True, False):
            allow_tf32(allowed)
            assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is allowed
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


class Half(Fit):
    """One of two processes, without the other."""

    rank = 0
    writes = False

    def share(self, images: int) -> slice:
        return slice(self.rank * images // 2, (self.rank + 1) * images // 2)


def half_of(pack: Path, rank: int, kind: type[Fit] = Half) -> Fit:
    method: Method = ISNet(ISNet.Settings())
    settings = settings_of(epochs=1, shift_px=3)
    fit = kind(method, TASK, settings, 0, load_sets(pack, Needs(masks=True)), Fabric(accelerator="cpu", devices=1))
    if isinstance(fit, Half):
        fit.rank = rank
    return fit


def test_the_shares_of_two_processes_are_the_whole_batch_with_its_shifts(pack: Path) -> None:
    rows = torch.arange(16).flip(0)
    whole = half_of(pack, 0, Fit).train_batch(rows, torch_stream(0, "augmentation", 0))
    parts = [half_of(pack, rank).train_batch(rows, torch_stream(0, "augmentation", 0)) for rank in (0, 1)]
    for name in ("image", "mask", "label", "row"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name)), name


def test_a_process_that_does_not_write_leaves_nothing(pack: Path, tmp_path: Path) -> None:
    job = make_job(pack, tmp_path / "out" / "seed-0", epochs=1)
    told: list[object] = []
    seed.run(job, lambda *message: told.append(message), kind=Half, fabric=Fabric(accelerator="cpu", devices=1))
    assert told == [] and not job.folder.parent.exists()
