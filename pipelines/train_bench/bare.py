r"""A bare PyTorch loop: the arithmetic of a training step and nothing else.

.. math:: \theta \leftarrow \mathrm{step}\big(\theta,\ \mathrm{clip}(\partial L(\theta; x, y) / \partial \theta)\big)

on float batches that are ready: no conversion, no augmentation, no schedule, no means, no wrapper, and none of the
harness's switches for reproducible algorithms. For ``erm`` the loss is written out, so that not a line of the harness
runs in it; else it is the method's own, or another way to compute it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Batch
from benchmark.seeding import torch_stream
from benchmark.training.fit import Fit

Loss = Callable[[nn.Module, Batch, torch.Generator], Tensor]


def plain_loss(network: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
    """Cross-entropy of the logits."""
    return cross_entropy(network(batch.image), batch.label)


def bf16_loss(network: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
    """The same with products and convolutions in bfloat16."""
    with torch.autocast(batch.image.device.type, torch.bfloat16):
        return plain_loss(network, batch, rng)


def own_loss(fit: Fit) -> Loss:
    """The loss of the phase that has begun."""
    phase = fit.phase
    return lambda network, batch, rng: phase.loss(network, batch, rng)["loss"]


def ready(fit: Fit) -> list[Batch]:
    """The batches of the epoch, as the harness's loop makes them."""
    size, order = fit.settings.batch_size, fit.order(fit.state.epoch)
    augmentation = torch_stream(fit.seed, "augmentation", fit.state.epoch)
    return [fit.train_batch(order[at * size : (at + 1) * size], augmentation) for at in range(fit.steps)]


@contextmanager
def free() -> Iterator[None]:
    """Any algorithms, as PyTorch is without the harness: its switch also fills fresh memory, which takes time."""
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)


class Bare:
    """The loop over ready batches; calling it takes one step on each.

    Args:
        fit: A training that has begun: its network is copied, and its settings are taken as they are at the start.
        batches: Of :func:`ready`.
        loss: The step's loss.
        layout: Of weights and images in memory.
    """

    def __init__(
        self, fit: Fit, batches: Sequence[Batch], loss: Loss, layout: torch.memory_format = torch.channels_last
    ) -> None:
        self.network = copy.deepcopy(fit.plain).to(memory_format=layout).train()  # type: ignore[call-overload]
        self.batches = [
            Batch(b.image.contiguous(memory_format=layout), b.label, b.mask, b.code, b.row) for b in batches
        ]
        self.loss, self.clip_norm = loss, fit.settings.clip_norm
        trained = fit.phase.trained(self.network) if fit.phase.trained else self.network.parameters()
        self.weights = [weight for weight in trained if weight.requires_grad]
        self.optimizer = optimizer_of(fit, self.weights)
        self.losses: list[Tensor] = []

    def __call__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        with free():
            self.losses = [self.step(batch, rng) for batch in self.batches]

    def step(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """One update; returns the loss before it."""
        loss = self.loss(self.network, batch, rng)
        self.optimizer.zero_grad()
        loss.backward(inputs=self.weights)  # type: ignore[no-untyped-call]
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.weights, self.clip_norm)
        self.optimizer.step()
        return loss.detach()


def optimizer_of(fit: Fit, weights: Sequence[nn.Parameter] | Sequence[Tensor]) -> torch.optim.Optimizer:
    """PyTorch's optimizer with the settings of the training's first step."""
    first = fit.optimizer.param_groups[0]
    if fit.settings.optimizer.name == "sgd":
        return torch.optim.SGD(weights, lr=first["lr"], momentum=first["momentum"], weight_decay=first["weight_decay"])
    return torch.optim.AdamW(weights, lr=first["lr"], betas=first["betas"], weight_decay=first["weight_decay"])
