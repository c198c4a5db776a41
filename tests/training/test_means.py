"""Loss terms that are read many steps at once give the same means, and the same errors, as read step by step."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import TRAINING
from lightning_fabric import Fabric
from torch import nn

from baselines.erm import ERM
from benchmark.api import Batch, Task
from benchmark.config import Training, parse
from benchmark.errors import BenchmarkError
from benchmark.training.data import load_sets
from benchmark.training.fit import Fit
from benchmark.training.means import EVERY, Means, reads_every

TASK = Task("test_resnet", 3, 1, 28, 28)


def fit_of(pack: Path, method: ERM, every: int) -> Fit:
    settings = parse(Training, {**TRAINING, "epochs": 2}, "test")
    fit = Fit(method, TASK, settings, 0, load_sets(pack, method.needs), Fabric(accelerator="cpu", devices=1))
    fit.reads_every = every
    return fit


@pytest.mark.parametrize("every", [1, 3, 7, 100])
def test_means_are_weighted_sums_in_double_precision_however_often_they_are_read(every: int) -> None:
    rng = torch.Generator().manual_seed(0)
    values, images = torch.randn(10, generator=rng), [16] * 9 + [5]
    steps: list[int] = []
    means = Means(lambda _, step: steps.append(step), every)
    for value, count in zip(values, images, strict=True):
        means.add({"loss": value, "half": value.half()}, count)
    total = 0.0
    for value, count in zip(values.tolist(), images, strict=True):
        total += value * count
    found = means.named("train")
    assert found["train_loss"] == total / 149
    exact = sum(Fraction(v) * n for v, n in zip(values.half().tolist(), images, strict=True)) / 149
    assert found["train_half"] == pytest.approx(float(exact), abs=1e-15)
    assert steps == list(range(10))


def test_a_term_that_only_some_steps_have_is_summed_over_them() -> None:
    for every in (1, 2):
        means = Means(lambda *_: None, every)
        means.add({"loss": torch.tensor(1.0)}, 2)
        means.add({"loss": torch.tensor(2.0), "more": torch.tensor(4.0)}, 2)
        assert means.named("val") == {"val_loss": 1.5, "val_more": 2.0}


def test_a_cpu_is_read_every_step_and_cuda_now_and_then() -> None:
    assert reads_every(torch.device("cpu")) == 1
    assert reads_every(torch.device("cuda")) == EVERY > 1


def test_a_training_that_is_read_late_is_the_same_training(pack: Path) -> None:
    often, seldom = (fit_of(pack, ERM(ERM.Settings()), every) for every in (1, 4))
    first, second = (fit.run(lambda _: None) for fit in (often, seldom))
    assert first.log == second.log
    assert all(torch.equal(first.best[name], second.best[name]) for name in first.best)


class Diverging(ERM):
    """Its loss is NaN from the third step on; ``refuses``: and stops by itself in the fourth."""

    refuses = False
    steps = 0

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Any:
        self.steps += 1
        if self.refuses and self.steps == 4:
            raise BenchmarkError("a heatmap is not finite")
        value = super().loss(network, batch, rng)["loss"]
        return {"loss": value * (math.nan if self.steps >= 3 else 1.0)}


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("every", [1, 2, 50])
def test_the_first_step_that_diverged_is_named_however_late_it_is_read(pack: Path, every: int, refuses: bool) -> None:
    method = Diverging(ERM.Settings())
    method.refuses = refuses
    with pytest.raises(BenchmarkError, match=r"seed 0 is not finite in epoch 0, step 2; got \{'loss': nan\}"):
        fit_of(pack, method, every).run(lambda _: None)
