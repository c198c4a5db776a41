"""A method under test: its tiny task, its images, and what checks share because it is dear to make."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import Tensor, nn

from benchmark.api import Batch, Method, Phase, Task
from benchmark.config import Training, parse
from benchmark.errors import BenchmarkError
from benchmark.testing.images import CLASSES, EIGHT, TRAIN, make_sets
from benchmark.training import checkpoint
from benchmark.training.data import Sets
from benchmark.training.fit import Fit, State, build

EPOCHS = 2
STEPS = 40

PROGRAMS: dict[Task, Any] = {}
"""The exported networks of methods that neither build nor deploy one of their own: equal, weights and all."""


def require(kept: object, message: str) -> None:
    """An ``assert`` that also runs with ``python -O``.

    Raises:
        AssertionError: With the message, if ``kept`` is false.
    """
    if not kept:
        raise AssertionError(message)


class Declined(Exception):
    """The method refuses the task, with its reason: no failure."""


class Killed(Exception):
    """Stands for the end of a process right after an epoch."""


@dataclass
class Case:
    """One method and the size of its trial.

    Attributes:
        method: An instance.
        backbone: A timm name, perhaps with arguments; the default is a small convolutional network.
        size: Pixels a side.
        name: For the tests' names.
        skip: Checks that are left out, by name, each with the reason.
    """

    method: Method
    backbone: str = "test_resnet"
    size: int = 28
    name: str = ""
    skip: dict[str, str] = field(default_factory=dict)
    _first: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)
    _eight: dict[tuple[int, int], Batch] = field(default_factory=dict, init=False, repr=False)

    def task(self, channels: int = 1, classes: int = CLASSES) -> Task:
        return Task(self.backbone, classes, channels, self.size, self.size, TRAIN)

    def sets(self, channels: int = 1, classes: int = CLASSES) -> Sets:
        return make_sets(channels, self.size, classes)

    def build(self, channels: int = 1, classes: int = CLASSES, seed: int = 0) -> nn.Module:
        """A network of the method.

        Raises:
            Declined: If the method refuses such a task.
        """
        try:
            return build(self.method, self.task(channels, classes), seed)
        except BenchmarkError as error:
            raise Declined(str(error)) from error

    @cached_property
    def built(self) -> nn.Module:
        return self.build()

    def network(self) -> nn.Module:
        """A fresh network, always of the same weights."""
        return copy.deepcopy(self.built)

    @cached_property
    def deployed(self) -> nn.Module:
        """Its deployed module, for reading only."""
        return self.method.deploy(self.network()).eval()

    @cached_property
    def program(self) -> Any:
        """The deployed module exported by torch.export, for any number of images."""
        kind, task = type(self.method), self.task()
        common = (kind.build, kind.deploy) == (Method.build, Method.deploy) and not self.method.needs.mask_at_test
        if common and task in PROGRAMS:
            return PROGRAMS[task]
        inputs = self.inputs(self.eight())
        sizes = tuple({0: torch.export.Dim("images", min=1)} for _ in inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(self.deployed, inputs, dynamic_shapes=sizes)
        return PROGRAMS.setdefault(task, program) if common else program

    def eight(self, channels: int = 1, classes: int = CLASSES) -> Batch:
        """Eight training images, with what the method declares and nothing else: a fresh copy of them."""
        if (channels, classes) not in self._eight:
            train = self.sets(channels, classes).train
            self._eight[channels, classes] = train.batch(torch.tensor(EIGHT), self.method.needs)
        return copy.deepcopy(self._eight[channels, classes])

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the deployed module is given."""
        if self.method.needs.mask_at_test:
            return batch.image, batch.masks
        return (batch.image,)

    def fit(self, seed: int = 0, sets: Sets | None = None, channels: int = 1, classes: int = CLASSES) -> Fit:
        """The harness's own training, of a method object of its own (so that state in it would not be shared).

        Raises:
            Declined: If the method refuses such a task.
        """
        self.build(channels, classes) if (channels, classes) != (1, CLASSES) else self.built
        settings = {
            "backbone": self.backbone,
            "epochs": EPOCHS,
            "batch_size": 8,
            "optimizer": {"name": "adamw", "lr": 3e-3},
            "clip_norm": 1.0,
        }
        return Fit(
            copy.deepcopy(self.method),
            self.task(channels, classes),
            parse(Training, settings, "checks"),
            seed,
            sets or self.sets(channels, classes),
            Fabric(accelerator="cpu", devices=1),
        )

    def phases(self, **which: Any) -> Iterator[tuple[Phase, nn.Module]]:
        """Every phase with the network as it is when the phase starts, without the trainings before it."""
        fit = self.fit(**which)
        for number, phase in enumerate(fit.phases):
            fit.begin(number)
            fit.keep()
            if phase.epochs:
                yield phase, copy.deepcopy(fit.plain).train()

    @cached_property
    def starts(self) -> list[tuple[Phase, nn.Module]]:
        """As :meth:`phases`, made once: copy a network before you change it."""
        return list(self.phases())

    @cached_property
    def trained(self) -> State:
        """The end of a whole training from seed 0."""
        fit = self.fit()

        def remember(state: State) -> None:
            if state.epoch == 1:
                self._first.update(copy.deepcopy(fit.plain.state_dict()))

        return fit.run(remember)

    @property
    def after_first_epoch(self) -> dict[str, Tensor]:
        """The weights of :attr:`trained` after its first epoch."""
        return self._first if self.trained else {}

    def first_epoch(self, seed: int) -> dict[str, Tensor]:
        """The weights after the first epoch of another training."""
        fit = self.fit(seed)

        def stop(_: State) -> None:
            raise Killed

        with suppress(Killed):
            fit.run(stop)
        return fit.plain.state_dict()

    def train_in_pieces(self) -> State:
        """The training of :attr:`trained`, killed after every epoch and resumed by another process's objects."""

        def stop(_: State) -> None:
            checkpoint.save(fit, path, "checks")
            raise Killed

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint"
            while True:
                fit = self.fit(0)
                checkpoint.resume(fit, path, "checks")
                try:
                    return fit.run(stop)
                except Killed:
                    pass


def trained_by(phase: Phase, network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that a phase trains, by name."""
    chosen = {id(weight) for weight in (phase.trained(network) if phase.trained else network.parameters())}
    return {
        name: weight for name, weight in network.named_parameters() if id(weight) in chosen and weight.requires_grad
    }


def make_case(method: Any, **settings: Any) -> Case:
    """A case of a class (with its default settings), an instance, or a case.

    Raises:
        BenchmarkError: If it is none of these, or a class whose settings have no defaults.
    """
    if isinstance(method, Case):
        return replace(method, **settings) if settings else method
    if isinstance(method, type) and issubclass(method, Method):
        try:
            method = method(method.Settings())
        except ValidationError as error:
            raise BenchmarkError(
                f"{method.__name__} has settings without a default", do="Pass an instance instead of the class."
            ) from error
    if not isinstance(method, Method):
        raise BenchmarkError("what is to be checked", got=method, expected="a subclass of Method, or an instance")
    return Case(method, **{"name": type(method).__name__, **settings})
