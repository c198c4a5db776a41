r"""Several seeds of ``erm`` in one process, as one network whose weights have a seed axis.

.. math:: \theta_s \leftarrow \mathrm{step}\big(\theta_s,\ \mathrm{clip}(\partial L_s / \partial \theta_s)\big),
          \quad s = 1 \dots S \text{ at once}

by ``torch.func``: one call of every operator for all seeds, convolutions as grouped ones. Each seed has its own
batch and its own gradient norm, so it is the training that it would be alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from benchmark.api import Batch
from benchmark.training.fit import Fit
from pipelines.train_bench.bare import free, optimizer_of


class Together:
    """Calling it takes one step of all seeds on each of their batches.

    Args:
        fits: Trainings of ``erm`` that have begun, one a seed.
        batches: The steps of each seed, ready.
    """

    def __init__(self, fits: Sequence[Fit], batches: Sequence[Sequence[Batch]]) -> None:
        networks = [copy.deepcopy(fit.plain).to(memory_format=torch.contiguous_format).train() for fit in fits]  # type: ignore[call-overload]
        self.weights, self.buffers = stack_module_state(networks)
        self.skeleton = networks[0].to("meta")
        steps = list(zip(*batches, strict=True))
        self.images = [torch.stack([batch.image.contiguous() for batch in step]) for step in steps]
        self.labels = [torch.stack([batch.label for batch in step]) for step in steps]
        self.clip_norm = fits[0].settings.clip_norm
        self.optimizer = optimizer_of(fits[0], list(self.weights.values()))
        self.losses: list[Tensor] = []

    def loss(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        """Of one seed."""
        logits = functional_call(self.skeleton, (weights, buffers), (image,))
        return cross_entropy(logits, label)

    def __call__(self) -> None:
        with free():
            self.losses = [self.step(image, label) for image, label in zip(self.images, self.labels, strict=True)]

    def step(self, image: Tensor, label: Tensor) -> Tensor:
        """One update of all seeds; returns their losses ``[S]`` before it."""
        losses = vmap(self.loss)(self.weights, self.buffers, image, label)
        self.optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        if self.clip_norm is not None:
            self.clip(self.clip_norm)
        self.optimizer.step()
        return losses.detach()

    def clip(self, most: float) -> None:
        """As ``torch.nn.utils.clip_grad_norm_``, seed by seed."""
        slopes = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        norms = torch.stack([slope.flatten(1).norm(dim=1) for slope in slopes]).norm(dim=0)
        factor = (most / (norms + 1e-6)).clamp(max=1.0)
        for slope in slopes:
            slope.mul_(factor.view(-1, *[1] * (slope.dim() - 1)))
