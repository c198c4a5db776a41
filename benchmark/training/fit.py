"""The training loop of one seed: epochs, validation, the best checkpoint, resume after a kill.

Every random draw comes from a stream that is named by seed, purpose and epoch (:mod:`benchmark.seeding`), so no
generator state needs saving and a resumed run repeats the undisturbed one bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from benchmark.api import Method, Task
from benchmark.config import Training
from benchmark.errors import BenchmarkError
from benchmark.seeding import derive, torch_stream
from benchmark.training.data import Tensors, shifted

Row = dict[str, float]


@dataclass
class State:
    """Where a training stands after an epoch.

    Attributes:
        log: One row an epoch.
        best_epoch: 0-based; the first epoch with the lowest validation loss.
        best: The network's weights after that epoch.
        seconds: Training time so far, in this and in interrupted processes.
    """

    log: list[Row] = field(default_factory=list)
    best_epoch: int = -1
    best: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """The next epoch to run."""
        return len(self.log)


Progress = Callable[[State], None]
"""Called after every epoch."""


def build(method: Method, task: Task, seed: int) -> nn.Module:
    """The method's network from the seed's ``init`` stream; torch's global generator is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "init"))
        return method.build(task)


def optimizer_of(network: nn.Module, settings: Training, steps: int) -> tuple[Any, Any]:
    """The optimizer and its schedule over all steps."""
    o = settings.optimizer
    if o.name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            network.parameters(), lr=o.lr, momentum=o.momentum, weight_decay=o.weight_decay
        )
    else:
        optimizer = torch.optim.AdamW(network.parameters(), lr=o.lr, weight_decay=o.weight_decay)
    schedulers = torch.optim.lr_scheduler
    if settings.schedule == "one_cycle":
        return optimizer, schedulers.OneCycleLR(optimizer, o.lr, total_steps=steps)
    return optimizer, schedulers.ConstantLR(optimizer, factor=1.0)


class Fit:
    """One seed in training.

    Args:
        method: What is trained.
        task: Shapes and backbone.
        settings: Epochs, batch size, optimizer.
        seed: Root of every stream.
        train: Training images.
        val: Validation images, with the training's bias.
        fabric: Device and precision.
    """

    def __init__(
        self, method: Method, task: Task, settings: Training, seed: int, train: Tensors, val: Tensors, fabric: Fabric
    ) -> None:
        if settings.batch_size > len(train):
            raise BenchmarkError(
                "batch_size", got=settings.batch_size, expected=f"at most {len(train)} (training images)"
            )
        self.method, self.settings, self.seed, self.fabric = method, settings, seed, fabric
        self.train, self.val = train, val
        self.steps = len(train) // settings.batch_size  # the last, smaller batch of an epoch is left out
        network = build(method, task, seed)
        # Channels last, as the images come: a training step is a fifth to a quarter shorter on a CPU.
        self.plain: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer, self.schedule = optimizer_of(self.plain, settings, settings.epochs * self.steps)
        self.network, self.optimizer = fabric.setup(self.plain, optimizer)
        self.weights = [p for p in self.plain.parameters() if p.requires_grad]
        self.state = State()

    def run(self, after_epoch: Progress) -> State:
        """Trains to the last epoch, from wherever the state stands."""
        while self.state.epoch < self.settings.epochs:
            start = time.perf_counter()
            row = {"epoch": float(self.state.epoch), **self.train_epoch(), **self.validate()}
            self.state.log.append(row)
            losses = [entry["val_loss"] for entry in self.state.log]
            if losses.index(min(losses)) == self.state.epoch - 1:
                self.state.best_epoch = self.state.epoch - 1
                self.state.best = {name: value.detach().clone() for name, value in self.plain.state_dict().items()}
            self.state.seconds += time.perf_counter() - start
            after_epoch(self.state)
        return self.state

    def train_epoch(self) -> Row:
        """One pass over the training images; returns the mean of every loss term."""
        epoch, size = self.state.epoch, self.settings.batch_size
        order = torch.randperm(len(self.train), generator=torch_stream(self.seed, "order", epoch))
        augmentation = torch_stream(self.seed, "augmentation", epoch)
        rng = torch_stream(self.seed, "method", epoch)
        means = Means()
        self.network.train()
        for step in range(self.steps):
            rows = order[step * size : (step + 1) * size].to(self.train.label.device)
            batch = shifted(self.train.batch(rows, self.method.needs), self.settings.shift_px, augmentation)
            terms = self.method.loss(self.network, batch, rng)
            self.require_finite(terms, step)
            self.optimizer.zero_grad()
            self.fabric.backward(terms["loss"], inputs=self.weights)
            if self.settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.weights, self.settings.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            means.add(terms, len(batch.label))
        return means.named("train")

    def validate(self) -> Row:
        """The same loss on the validation images, with the same draws in every epoch, and the accuracy."""
        rng = torch_stream(self.seed, "validation")
        means = Means()
        self.network.eval()
        deployed = self.method.deploy(self.network)
        with torch.no_grad():
            for start in range(0, len(self.val), 256):
                batch = self.val.batch(slice(start, start + 256), self.method.needs)
                terms = dict(self.method.loss(self.network, batch, rng))
                terms["accuracy"] = (deployed(batch.image).argmax(1) == batch.label).float().mean()
                self.require_finite(terms, None)
                means.add(terms, len(batch.label))
        return means.named("val")

    def require_finite(self, terms: Mapping[str, Tensor], step: int | None) -> None:
        """Stops a training that diverged.

        Raises:
            BenchmarkError: Naming where, and every term.
        """
        if math.isfinite(terms["loss"].item()):
            return
        where = "validation" if step is None else f"step {step}"
        raise BenchmarkError(
            f"the loss of seed {self.seed} is not finite in epoch {self.state.epoch}, {where}",
            got={name: value.item() for name, value in terms.items()},
            expected="finite numbers",
            do="Lower the learning rate, set clip_norm, or check the images.",
        )


class Means:
    """Running means of named scalars, weighted by the number of images."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.count = 0

    def add(self, terms: Mapping[str, Tensor], images: int) -> None:
        self.count += images
        for name, value in terms.items():
            self.totals[name] = self.totals.get(name, 0.0) + value.item() * images

    def named(self, prefix: str) -> Row:
        return {f"{prefix}_{name}": total / self.count for name, total in self.totals.items()}
