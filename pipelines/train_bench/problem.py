"""What is trained: a method, a backbone and random images, in the harness's own loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmark import paths
from benchmark.config import load_method
from benchmark.costs import Recipe
from benchmark.training.data import Sets, Tensors
from benchmark.training.device import allow_tf32, fabric_of
from benchmark.training.fit import Fit
from benchmark.training.seed import make_method, task_of

SHIFT = 2
"""Pixels of augmentation in the harness's loop; the suites' settings have none, which costs less."""

EPOCHS = 10_000
"""More than are ever timed, so that the schedule does not end."""


@dataclass(frozen=True)
class Shape:
    """A network and its batches.

    Attributes:
        backbone: timm's name.
        px: Side of the images.
        batch: Images a step.
        steps: Of one timing: so many that it is much longer than a tick of the clock.
        channels: Of the images.
        classes: Of their labels.
    """

    backbone: str
    px: int
    batch: int
    steps: int
    channels: int = 3
    classes: int = 10


def random_tensors(shape: Shape, images: int, device: str, seed: int) -> Tensors:
    """Noise, with the middle quarter as foreground and every class in turn."""
    rng = torch.Generator().manual_seed(seed)
    size = (images, shape.channels, shape.px, shape.px)
    mask = torch.zeros(images, 1, shape.px, shape.px, dtype=torch.uint8)
    mask[:, :, shape.px // 4 : -shape.px // 4, shape.px // 4 : -shape.px // 4] = 1
    label = torch.arange(images) % shape.classes
    parts = torch.randint(0, 256, size, generator=rng, dtype=torch.uint8), mask, label, (label + 1) % shape.classes
    return Tensors(*(part.to(device) for part in parts))


def recipe_of(method: str, shape: Shape, shift: int = SHIFT) -> Recipe:
    """The method as its YAML trains it, on this backbone with this batch.

    Raises:
        BenchmarkError: If there is no such method.
    """
    file = load_method(paths.CONFIGS / "methods" / f"{method}.yaml")
    changes = {"backbone": shape.backbone, "batch_size": shape.batch, "epochs": EPOCHS, "shift_px": shift}
    return Recipe(make_method(file.method, file.options), file.training.model_copy(update=changes))


def fit_of(recipe: Recipe, shape: Shape, device: str, seed: int = 0) -> Fit:
    """A training that has begun; its epoch has ``shape.steps`` steps.

    Raises:
        BenchmarkError: If the backbone is unknown, or cannot take such images.
    """
    allow_tf32(recipe.training.tf32)
    images = max(shape.steps * shape.batch, shape.classes)
    sets = Sets(*(random_tensors(shape, images, device, number) for number in range(3)))
    fabric = fabric_of(recipe.training, recipe.method, device)
    fit = Fit(recipe.method, task_of(sets.train, shape.backbone), recipe.training, seed, sets, fabric)
    fit.begin(longest(fit))
    return fit


def longest(fit: Fit) -> int:
    """The phase with most epochs, the first of equals: what most of a training is."""
    epochs = [phase.epochs for phase in fit.phases]
    return epochs.index(max(epochs))
