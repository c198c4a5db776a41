"""The training loop of one rank."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, replace

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from benchmark.api import Batch, Method, Task
from benchmark.config import Training
from benchmark.distributed.batch_norm import BatchNormOverRanks
from benchmark.distributed.draws import WholeBatchDraws
from benchmark.distributed.methods import Way
from benchmark.distributed.network import SharedOut, undeclared_draws
from benchmark.distributed.ranks import Ranks, all_equal
from benchmark.errors import BenchmarkError
from benchmark.seeding import torch_stream
from benchmark.training.data import Sets, logits_of
from benchmark.training.fit import Fit, Progress, State
from benchmark.training.means import Means, Row


class DistributedFit(Fit):
    """One seed in training by all ranks of the present process group.

    Attributes:
        way: How the method is shared out; set by :func:`shared_out`.
        ranks: The processes.
        images: Of the whole batch that is at work.
    """

    way: Way

    def __init__(self, method: Method, task: Task, settings: Training, seed: int, sets: Sets, fabric: Fabric) -> None:
        self.ranks, self.images = Ranks.present(), 0
        if settings.batch_size < self.ranks.size:
            raise BenchmarkError(
                "batch_size",
                got=settings.batch_size,
                expected=f"an image or more for each of {self.ranks.size} processes",
            )
        self.writes = self.ranks.rank == 0
        if hasattr(method, "where_not_finite"):  # a forward of one rank alone would wait for the others
            vars(method)["where_not_finite"] = lambda *_: "a layer that a training in one process names"
        super().__init__(method, task, settings, seed, sets, fabric)

    def prepare(self) -> nn.Module:
        wrapped = super().prepare()
        if name := undeclared_draws(self.plain):
            raise BenchmarkError(
                "a network with random draws of its own cannot be shared out over processes",
                got=f"dropout in module {name!r}",
                do="Choose a backbone without dropout, or train in one process.",
            )
        return SharedOut(wrapped, self.plain, self.ranks) if self.way == "network" else wrapped

    def run(self, after_epoch: Progress) -> State:
        """Trains to the last epoch; all ranks must stand at the same one."""
        self.agree("checkpoints")
        return super().run(after_epoch)

    def run_epoch(self) -> None:
        super().run_epoch()
        self.agree("weights")

    def agree(self, what: str) -> None:
        """Looks whether all ranks have the same weights at the same epoch.

        Raises:
            BenchmarkError: If not.
        """
        said = self.ranks.told((self.state.epoch, self.state.phase, digest(self.plain)))
        if not all_equal(said):
            raise BenchmarkError(
                f"the processes of seed {self.seed} have different {what}",
                got=[f"epoch {epoch}, weights {name[:8]}" for epoch, _, name in said],
                expected="the same",
                do="Give all machines one shared folder runs/, the same packages and the same kind of processor.",
            )

    def share(self, images: int) -> slice:
        return self.ranks.share(images) if self.way == "loss" else slice(0, images)

    def train_batch(self, rows: Tensor, augmentation: torch.Generator) -> Batch:
        self.images = len(rows)
        return super().train_batch(rows, augmentation)

    def loss(self, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The loss terms of this rank's images, or of the whole batch where the network is shared out."""
        with ExitStack() as modes:
            modes.enter_context(BatchNormOverRanks(self.ranks))
            if self.way == "loss":
                modes.enter_context(WholeBatchDraws(rng, self.images, self.share(self.images)))
            return super().loss(batch, rng)

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss of the whole batch: each rank's part of it, summed."""
        if self.way == "loss":
            mine = self.share(self.images)
            loss = loss * ((mine.stop - mine.start) / self.images)
        super().backward(loss)
        self.ranks.sum_gradients(self.weights)

    def means_of(self, means: Means, name: str) -> Row:
        """An epoch's means over the images of all ranks; where each rank has the loss of all, they are equal."""
        means.read()
        if self.way == "loss":
            means.totals, means.count = self.summed(means)
        return means.named(name)

    def summed(self, means: Means) -> tuple[Row, int]:
        """Sums of all ranks, and the number of images."""
        said = self.ranks.told((means.totals, means.count))
        names = dict.fromkeys(name for totals, _ in said for name in totals)
        return {name: sum(t.get(name, 0.0) for t, _ in said) for name in names}, sum(count for _, count in said)

    def validate(self) -> Row:
        """As of :class:`Fit`: each batch is shared out like one of training, and the accuracy always."""
        rng = torch_stream(self.seed, "validation")
        means, right = (Means(lambda terms, _: self.require_finite(terms, None), self.reads_every) for _ in range(2))
        self.network.eval()
        deployed = self.method.deploy(self.plain).eval()
        with torch.no_grad():
            for batch in self.val_batches():
                self.images = len(batch.label)
                own = rows_of(batch, self.ranks.share(self.images))
                part = own if self.way == "loss" else batch
                if len(part.label):
                    means.add(self.loss(part, rng), len(part.label))
                if len(own.label):
                    said = logits_of(deployed, own.image, own.mask, self.method.needs).argmax(1)
                    hit = (said == own.label).float().mean()
                    right.add({"loss": hit}, len(own.label))
        right.read()
        totals, count = self.summed(right)
        return {**self.means_of(means, "val"), "val_accuracy": totals["loss"] / count}


def shared_out(way: Way) -> type[DistributedFit]:
    """The training loop for methods that are shared out in this way."""
    return type(f"{way.title()}SharedOut", (DistributedFit,), {"way": way})


def rows_of(batch: Batch, mine: slice) -> Batch:
    """Some images of a batch."""
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return replace(batch, **{name: part[mine] for name, part in parts.items() if part is not None})


def digest(network: nn.Module) -> str:
    """SHA-256 of all weights and buffers."""
    found = hashlib.sha256()
    for value in network.state_dict().values():
        found.update(value.detach().cpu().numpy().tobytes())
    return found.hexdigest()
