"""A tiny task with a shortcut and a few images that deny it, and a training on it in a fraction of a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from benchmark.api import Method, Task
from benchmark.config import Training, parse
from benchmark.training import checkpoint
from benchmark.training.data import Sets, Tensors
from benchmark.training.fit import Fit, State

TRAINING = {
    "backbone": "none", "epochs": 8, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.5}, "clip_norm": 1.0,
}  # fmt: skip


class Linear(nn.Sequential):
    """The smallest network with a last layer that is called as timm calls it."""

    def __init__(self, task: Task) -> None:
        pixels = task.channels * task.height * task.width
        super().__init__(nn.Flatten(), nn.Linear(pixels, 16), nn.ReLU(), nn.Linear(16, task.classes))

    def get_classifier(self) -> nn.Module:
        return self[-1]


class Row(nn.Module):
    """Logits are one row of the image."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row, self.scale = row, nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x[:, 0, self.row]


class Small(Method):
    """To be inherited after a method: what that calls its classifier is then a small one."""

    def build(self, task: Task) -> nn.Module:
        return Linear(task)


def images(count: int, agree: float, seed: int) -> Tensors:
    """Two classes, told by a faint difference in many pixels, or by one bright pixel for the share that agrees."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % 2
    code = torch.where(torch.rand(count, generator=rng) < agree, label, 1 - label)
    image = 90 + 20 * torch.randn(count, 1, 4, 4, generator=rng)
    image[:, :, 1:] += 24.0 * label[:, None, None, None]
    image[:, :, 0] = 0
    image[torch.arange(count), 0, 0, code] = 255
    mask = torch.zeros(count, 1, 4, 4, dtype=torch.uint8)
    mask[:, :, 1:] = 1
    return Tensors(image.clamp(0, 255).to(torch.uint8), mask, label, code)


def sets_of(agree: float) -> Sets:
    return Sets(images(512, agree, 0), images(256, agree, 1), images(256, 0.5, 2))


def fit_of(method: Method, sets: Sets, **training: Any) -> Fit:
    settings = parse(Training, {**TRAINING, **training}, "test")
    task = Task("none", 2, 1, 4, 4, len(sets.train))
    return Fit(method, task, settings, 0, sets, Fabric(accelerator="cpu", devices=1))


def deployed(fit: Fit, state: State) -> nn.Module:
    fit.plain.load_state_dict(state.best)
    return fit.method.deploy(fit.plain).eval()


def accuracy(model: nn.Module, agree: float) -> float:
    """On new images: with ``agree`` 0 the shortcut always lies."""
    test = images(512, agree, 3)
    with torch.no_grad():
        return (model(test.image / 255).argmax(1) == test.label).double().mean().item()


def deceived_accuracy(method: Method, agree: float, **training: Any) -> float:
    fit = fit_of(method, sets_of(agree), **training)
    return accuracy(deployed(fit, fit.run(lambda _: None)), 0.0)


def assert_resumes_anywhere(make: Callable[[], Method], path: Path) -> None:
    """Stops a training after every epoch, takes each one up from its checkpoint, and compares all weights."""
    sets = sets_of(0.9)
    whole = fit_of(make(), sets, epochs=3)
    epochs = 0

    def keep(_: State) -> None:
        nonlocal epochs
        epochs += 1
        checkpoint.save(whole, path / str(epochs), "")

    whole.run(keep)
    for epoch in range(1, epochs + 1):
        fit = fit_of(make(), sets, epochs=3)
        assert checkpoint.resume(fit, path / str(epoch), "")
        assert fit.run(lambda _: None).epoch == epochs
        for name, value in whole.state.best.items():
            torch.testing.assert_close(fit.state.best[name], value, rtol=0, atol=0, equal_nan=True)
