"""The training loop of one seed: phases, epochs, validation, the best weights, resume after a kill.

Every random draw comes from a stream that is named by seed, purpose and epoch (:mod:`benchmark.seeding`), so no
generator state needs saving and a resumed run repeats the undisturbed one bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from benchmark.api import Batch, Method, Phase, Task
from benchmark.config import Training
from benchmark.errors import BenchmarkError
from benchmark.seeding import derive, torch_stream
from benchmark.training.augment import draw_shifts, shifted
from benchmark.training.data import Seen, Sets, logits_of
from benchmark.training.means import Means, Row, reads_every
from benchmark.training.optimizer import optimizer_of


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


class Fit:
    """One seed in training.

    A training by several processes is a subclass: each process makes all draws of the whole batch and takes its
    :meth:`share` of the images, :meth:`backward` averages the gradients, :meth:`means_of` the loss terms.

    Args:
        method: What is trained.
        task: Shapes and backbone.
        settings: Epochs, batch size, optimizer.
        seed: Root of every stream.
        sets: Training and validation images.
        fabric: Device and precision.

    Attributes:
        writes: Whether this process writes checkpoints and results.
        reads_every: Steps between two reads of the loss from the device.
    """

    writes = True

    def __init__(self, method: Method, task: Task, settings: Training, seed: int, sets: Sets, fabric: Fabric) -> None:
        if settings.batch_size > len(sets.train):
            raise BenchmarkError(
                "batch_size", got=settings.batch_size, expected=f"at most {len(sets.train)} (training images)"
            )
        self.method, self.settings, self.seed, self.sets, self.fabric = method, settings, seed, sets, fabric
        self.phases = checked(method.phases(settings.epochs), method)
        self.ends = list(accumulate(phase.epochs for phase in self.phases))
        self.steps = len(sets.train) // settings.batch_size  # the last, smaller batch of an epoch is left out
        self.reads_every = reads_every(fabric.device)
        self.plain = build(method, task, seed)
        self.network = self.prepare()
        self.state = State()

    def prepare(self) -> nn.Module:
        """Puts the network on the device, and returns it in the wrapper that the loss is computed with."""
        # Channels last, as the images come: a training step is a fifth to a quarter shorter on a CPU.
        self.plain = self.plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        wrapped: nn.Module = self.fabric.setup_module(self.plain)
        return wrapped

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
        epoch, size = self.state.epoch, self.settings.batch_size
        order = self.order(epoch)
        augmentation = torch_stream(self.seed, "augmentation", epoch)
        rng = torch_stream(self.seed, "method", epoch)
        means = Means(self.require_finite, self.reads_every)
        self.network.train()
        for step in range(self.steps):
            batch = self.train_batch(order[step * size : (step + 1) * size], augmentation)
            self.train_step(batch, rng, means)
        return self.means_of(means, "train")

    def share(self, images: int) -> slice:
        """Which images of a whole batch this process works on."""
        return slice(0, images)

    def train_batch(self, rows: Tensor, augmentation: torch.Generator) -> Batch:
        """This process's share of a training batch, augmented; the draws are those of all its rows.

        Args:
            rows: ``[B]`` of the training set, on the host.
            augmentation: Where shifts are drawn from.
        """
        mine, most = self.share(len(rows)), self.settings.shift_px
        shifts = draw_shifts(len(rows), most, augmentation)
        batch = self.sets.train.batch(rows[mine], self.method.needs)
        return shifted(batch, most, None if shifts is None else shifts[mine])

    def train_step(self, batch: Batch, rng: torch.Generator, means: Means) -> None:
        """One update of the weights."""
        try:
            terms = self.loss(batch, rng)
        except BenchmarkError:
            means.read()  # what a method refuses may follow from a loss that diverged in a step not yet read
            raise
        means.add(terms, len(batch.label))
        self.optimizer.zero_grad()
        self.backward(terms["loss"])
        self.update()

    def loss(self, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The loss terms of a batch."""
        return self.phase.loss(self.network, batch, rng)

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss with respect to the phase's weights."""
        self.fabric.backward(loss, inputs=self.weights)

    def update(self) -> None:
        """Clips the gradients and takes one step of optimizer and schedule."""
        if self.settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.weights, self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()

    def means_of(self, means: Means, name: str) -> Row:
        """An epoch's means, under ``<name>_<term>``."""
        return means.named(name)

    def validate(self) -> Row:
        """The same loss on the validation images, with the same draws in every epoch, and the accuracy."""
        rng = torch_stream(self.seed, "validation")
        means = Means(lambda terms, _: self.require_finite(terms, None), self.reads_every)
        self.network.eval()
        deployed = self.method.deploy(self.plain).eval()
        with torch.no_grad():
            for batch in self.val_batches():
                terms = dict(self.loss(batch, rng))
                right = logits_of(deployed, batch.image, batch.mask, self.method.needs).argmax(1) == batch.label
                terms["accuracy"] = right.float().mean()
                means.add(terms, len(batch.label))
        return self.means_of(means, "val")

    def val_batches(self) -> Iterator[Batch]:
        """The validation images of this process."""
        return Seen(self.sets.val, self.method.needs).batches()

    def require_finite(self, terms: Mapping[str, float], step: int | None) -> None:
        """Stops a training that diverged.

        Raises:
            BenchmarkError: Naming where, and every term.
        """
        if math.isfinite(terms["loss"]):
            return
        where = "validation" if step is None else f"step {step}"
        raise BenchmarkError(
            f"the loss of seed {self.seed} is not finite in epoch {self.state.epoch}, {where}",
            got=dict(terms),
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
