r"""What is measured: one training step, and one heatmap, of our engine and of its peers, on copies of one network.

.. math:: L = \mathrm{CE}(f(x), y) + L_1 + L_2

with the heatmap losses of :mod:`isnet.loss`; the plain step is the cross-entropy's alone. Both take the gradients of
all weights, and of nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmark.api import Task
from benchmark.errors import raise_unknown
from benchmark.registry import Entry
from benchmark.training.fit import build
from benchmark.training.seed import make_method
from pipelines.lrp_bench.flex_hooks import FlexHooks
from pipelines.lrp_bench.peers import CaptumLRP, ZennitEpsilon

# The engine is what this program measures, so it is looked up as a method would be.
RELEVANCE = Entry("relevance", "isnet.lrp:relevance", "built-in")
HEATMAP_LOSS = Entry("heatmap_loss", "isnet.loss:heatmap_loss", "built-in")

BATCH, LOGITS, CHANNELS = 4, 10, 3
EVERY = 3
"""The lazy case: a heatmap in every third step. In every second, a step would cost about (1 + 2.2) / 2 = 1.6."""

Action = Callable[[], object]


class Explainer(Protocol):
    """Forward and heatmap of one library."""

    def __call__(self, x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        """Logits ``[B, C]`` and maps ``[B, ...]`` (with a target ``[B, K]``: ``[B, K, ...]``)."""
        ...


@dataclass(frozen=True)
class Problem:
    """A network and a batch.

    Attributes:
        network: From seed 0; each case works on a copy.
        image: ``[B, 3, px, px]`` in [0, 1].
        label: ``[B]``.
        mask: ``[B, 1, px, px]``, the middle quarter.
    """

    network: nn.Module
    image: Tensor
    label: Tensor
    mask: Tensor

    @classmethod
    def make(cls, network: str, px: int, device: str) -> Problem:
        """Weights from seed 0, random images.

        Raises:
            BenchmarkError: If timm has no such network, or it cannot take images of this size.
        """
        rng = torch.Generator().manual_seed(0)
        task = Task(network, LOGITS, CHANNELS, px, px)
        mask = torch.zeros(BATCH, 1, px, px)
        mask[:, :, px // 4 : -px // 4, px // 4 : -px // 4] = 1
        return cls(
            build(make_method("erm", {}), task, seed=0).to(device),
            torch.rand(BATCH, CHANNELS, px, px, generator=rng).to(device),
            torch.randint(0, LOGITS, (BATCH,), generator=rng).to(device),
            mask.to(device),
        )

    def target(self, maps: int) -> Tensor:
        """The labels ``[B]``; for several maps ``[B, K]``, the label's class and those after it."""
        if maps == 1:
            return self.label
        return (self.label[:, None] + torch.arange(maps, device=self.label.device)) % LOGITS


def isnet(first: str) -> Callable[[nn.Module], Explainer]:
    """Our engine with one of its input rules."""

    def make(network: nn.Module) -> Explainer:
        relevance = RELEVANCE.load()

        def explain(x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
            logits = network(x)
            return logits, relevance(logits, x, target, first=first, create_graph=create_graph)

        return explain

    return make


def gradinput(network: nn.Module) -> Explainer:
    """Gradient x input, by PyTorch's own double backward."""

    def explain(x: Tensor, target: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        logits = network(x)
        (g,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), x, create_graph=create_graph)
        return logits, x * g

    return explain


@dataclass(frozen=True)
class Case:
    """How a case explains, and what of it is measured.

    Attributes:
        make: A network to its explainer.
        units: About how many plain steps a training step costs; for the time left. None: it cannot be trained through.
        maps: Heatmaps per image.
        every: Steps per step with a heatmap.
        heatmap: Whether its heatmap is measured by itself.
    """

    make: Callable[[nn.Module], Explainer]
    units: float | None
    maps: int = 1
    every: int = 1
    heatmap: bool = True


CASES = {
    "isnet_eps": Case(isnet("epsilon"), 2.2),
    "isnet_zb": Case(isnet("zb"), 2.4),
    "isnet_k8": Case(isnet("epsilon"), 7.0, maps=8, heatmap=False),
    "isnet_lazy": Case(isnet("epsilon"), 4.2, every=EVERY, heatmap=False),
    "gradinput": Case(gradinput, 2.8),
    "flex_hooks": Case(FlexHooks, 3.3),
    "zennit_eps": Case(ZennitEpsilon, 4.2),
    "captum_lrp": Case(CaptumLRP, None),
}


def find(name: str) -> Case:
    """The case of this name.

    Raises:
        BenchmarkError: If there is none.
    """
    if name not in CASES:
        raise_unknown("case", name, CASES)
    return CASES[name]


class Training:
    """A training step of a case, or the plain one; calling it takes the step (a lazy case: all ``every`` of them).

    Args:
        problem: Its network is copied.
        case: ``None`` for the plain step.
        maps: Heatmaps an image.
    """

    def __init__(self, problem: Problem, case: Case | None = None, maps: int = 1) -> None:
        self.problem, self.case = problem, case
        self.network = copy.deepcopy(problem.network).train()
        self.weights = list(self.network.parameters())
        self.explain = case.make(self.network) if case else None
        self.heatmap_loss = HEATMAP_LOSS.load()
        self.target = problem.target(maps)

    def __call__(self) -> None:
        if self.explain is None or self.case is None:
            return self.plain()
        for _ in range(self.case.every - 1):
            self.plain()
        self.release()
        logits, heatmap = self.explain(self.problem.image.detach().requires_grad_(), self.target, True)
        l1, l2 = self.heatmap_loss(heatmap, self.problem.mask)
        (cross_entropy(logits, self.problem.label) + l1 + l2).backward(inputs=self.weights)
        return None

    def plain(self) -> None:
        """Forward, cross-entropy, gradients of the weights."""
        self.release()
        logits = self.network(self.problem.image)
        cross_entropy(logits, self.problem.label).backward(inputs=self.weights)  # type: ignore[no-untyped-call]

    def release(self) -> None:
        """Lets the gradients go."""
        self.network.zero_grad()


def heatmap(problem: Problem, case: Case) -> Action:
    """Forward and one heatmap, as one explains a trained network."""
    network = copy.deepcopy(problem.network).eval()
    explain = case.make(network)
    return lambda: explain(problem.image.detach().requires_grad_(), problem.label, False)


def inference(problem: Problem, method: str) -> Action:
    """Logits from what a method of the suite deploys; all methods on the same weights, whose place in memory counts."""
    deployed = make_method(method, {}).deploy(problem.network).eval()

    def run() -> None:
        with torch.no_grad():
            deployed(problem.image)

    return run
