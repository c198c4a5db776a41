"""The training loop of one seed: phases, epochs, validation, the best weights, resume after a kill.

Every random draw comes from a stream that is named by seed, purpose and epoch (:mod:`benchmark.seeding`), so no
generator state needs saving and a resumed run repeats the undisturbed one bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from benchmark.api import Method, Phase, Task
from benchmark.config import Optimizer, Training
from benchmark.errors import BenchmarkError
from benchmark.seeding import derive, torch_stream
from benchmark.training.data import Seen, Sets, logits_of, shifted

Row = dict[str, float]


@dataclass
class State:
    """Where a training stands after an epoch.

    Attributes:
        log: One row an epoch.
        phase: The phase that has begun, from 0.
        best_epoch: 0-based; the first epoch of the phase with the lowest validation loss.
        best: The network's weights after that epoch.
        seconds: Training time so far, in this and in interrupted processes.
    """

    log: list[Row] = field(default_factory=list)
    phase: int = -1
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


def optimizer_of(
    weights: Iterable[nn.Parameter], o: Optimizer, schedule: str, steps: int, factor: float = 1.0
) -> tuple[Any, Any]:
    """The optimizer and its schedule over all steps of a phase.

    Args:
        weights: What is trained.
        o: The configured update rule.
        schedule: ``one_cycle`` or ``constant``.
        steps: Of the whole phase.
        factor: Of the learning rate.
    """
    lr = o.lr * factor
    if o.name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            weights, lr=lr, momentum=o.momentum, weight_decay=o.weight_decay
        )
    else:
        optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=o.weight_decay)
    schedulers = torch.optim.lr_scheduler
    if schedule == "one_cycle":
        return optimizer, schedulers.OneCycleLR(optimizer, lr, total_steps=steps)
    return optimizer, schedulers.ConstantLR(optimizer, factor=1.0)


class Fit:
    """One seed in training.

    Args:
        method: What is trained.
        task: Shapes and backbone.
        settings: Epochs, batch size, optimizer.
        seed: Root of every stream.
        sets: Training and validation images.
        fabric: Device and precision.
    """

    def __init__(self, method: Method, task: Task, settings: Training, seed: int, sets: Sets, fabric: Fabric) -> None:
        if settings.batch_size > len(sets.train):
            raise BenchmarkError(
                "batch_size", got=settings.batch_size, expected=f"at most {len(sets.train)} (training images)"
            )
        self.method, self.settings, self.seed, self.sets, self.fabric = method, settings, seed, sets, fabric
        self.phases = checked(method.phases(settings.epochs), method)
        self.ends = list(accumulate(phase.epochs for phase in self.phases))
        self.steps = len(sets.train) // settings.batch_size  # the last, smaller batch of an epoch is left out
        network = build(method, task, seed)
        # Channels last, as the images come: a training step is a fifth to a quarter shorter on a CPU.
        self.plain: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = fabric.setup_module(self.plain)
        self.state = State()

    @property
    def phase(self) -> Phase:
        return self.phases[self.state.phase]

    def run(self, after_epoch: Progress) -> State:
        """Trains to the last epoch, from wherever the state stands."""
        for number in range(max(self.state.phase, 0), len(self.phases)):
            if number > self.state.phase:
                self.begin(number)
            while self.state.epoch < self.ends[number]:
                start = time.perf_counter()
                self.run_epoch()
                self.state.seconds += time.perf_counter() - start
                after_epoch(self.state)
        return self.state

    def begin(self, number: int) -> None:
        """Starts a phase from the best weights of the one before."""
        start = time.perf_counter()
        if self.state.best:
            self.plain.load_state_dict(self.state.best)
        self.state.phase = number
        if self.phase.begin is not None:
            self.plain.eval()
            seen = self.sets.seen(self.method.needs)
            self.phase.begin(self.plain, seen, torch_stream(self.seed, "begin", number))
        if self.phase.epochs:
            self.open()
        else:
            self.keep()
        self.state.seconds += time.perf_counter() - start

    def open(self) -> None:
        """Makes what the present phase trains with, at its start or when a training resumes in it."""
        trained = self.phase.trained(self.plain) if self.phase.trained else self.plain.parameters()
        self.weights = [weight for weight in trained if weight.requires_grad]
        steps, factor = self.phase.epochs * self.steps, self.phase.lr
        optimizer, self.schedule = optimizer_of(
            self.weights, self.settings.optimizer, self.settings.schedule, steps, factor
        )
        self.optimizer: Any = self.fabric.setup_optimizers(optimizer)
        self.draw: Tensor | None = None
        if self.phase.weights is not None:
            self.plain.eval()
            self.draw = self.phase.weights(self.plain, self.sets.seen(self.method.needs)).double().cpu()

    def run_epoch(self) -> None:
        """Trains and validates; keeps the weights if they are the phase's best."""
        number = self.state.phase
        row = {"epoch": float(self.state.epoch), "phase": float(number), **self.train_epoch(), **self.validate()}
        self.state.log.append(row)
        losses = [entry["val_loss"] for entry in self.state.log if entry["phase"] == number]
        if losses.index(min(losses)) == len(losses) - 1:
            self.state.best_epoch = self.state.epoch - 1
            self.keep()

    def keep(self) -> None:
        self.state.best = {name: value.detach().clone() for name, value in self.plain.state_dict().items()}

    def order(self, epoch: int) -> Tensor:
        """The training images of an epoch: each once, or drawn by the phase's weights."""
        rng = torch_stream(self.seed, "order", epoch)
        images = len(self.sets.train)
        if self.draw is None:
            return torch.randperm(images, generator=rng)
        return torch.multinomial(self.draw, images, replacement=True, generator=rng)

    def train_epoch(self) -> Row:
        """One pass over the training images; returns the mean of every loss term."""
        epoch, size, train = self.state.epoch, self.settings.batch_size, self.sets.train
        order = self.order(epoch)
        augmentation = torch_stream(self.seed, "augmentation", epoch)
        rng = torch_stream(self.seed, "method", epoch)
        means = Means()
        self.network.train()
        for step in range(self.steps):
            rows = order[step * size : (step + 1) * size].to(train.label.device)
            batch = shifted(train.batch(rows, self.method.needs), self.settings.shift_px, augmentation)
            terms = self.phase.loss(self.network, batch, rng)
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
        needs = self.method.needs
        means = Means()
        self.network.eval()
        deployed = self.method.deploy(self.plain).eval()
        with torch.no_grad():
            for batch in Seen(self.sets.val, needs).batches():
                terms = dict(self.phase.loss(self.network, batch, rng))
                right = logits_of(deployed, batch.image, batch.mask, needs).argmax(1) == batch.label
                terms["accuracy"] = right.float().mean()
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


def checked(phases: tuple[Phase, ...], method: Method) -> tuple[Phase, ...]:
    """The phases of a training.

    Raises:
        BenchmarkError: If none of them trains anything.
    """
    if not any(phase.epochs for phase in phases):
        raise BenchmarkError(f"phases of {type(method).__name__}", got="no epoch", expected="at least one")
    return phases


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
