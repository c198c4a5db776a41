r"""Deep feature reweighting (DFR): the last layer, fitted anew where the bias says nothing.

.. math::
    V, c &= \arg\min \lVert V \rVert_1 + C \sum_{n \in S} \mathrm{CE}(V z_n + c,\, y_n), \qquad
    z = (h(x) - \mu) / \sigma \\
    W &= \bar V / \sigma, \qquad b = \bar c - W \mu

``h`` are the features of a classifier trained by cross-entropy, ``mu`` and ``sigma`` their mean and standard deviation
over the training images, ``S`` a random subset of the images without bias in which every group (a class with a mark)
has as many images as the smallest. The bar is the mean over several subsets; ``W`` and ``b`` replace the last layer.

Source: Kirichenko, Izmailov and Wilson 2023 (arXiv 2204.02937), section 4, DFR on validation data, with the scaling of
the authors' code. As there, ``C`` is the one with the best accuracy of the worst group: fitted on one half of the
images without bias, measured on the other. Deviations:

- With many small groups the worst is wrong at every ``C``: ties are broken by the mean over groups. Their subsets are
  small, too, so the grid of ``C`` goes up to 10, where the authors' code stops at 1 or 3.
- Each half has its part of every group, where the authors split at random.
- Classes share one softmax, whose bias is not penalised; for two classes that is the authors' logistic regression,
  except that their solver penalises the bias a little.

What it sees no other method sees: images whose marks were drawn without regard to the class. The network is trained and
chosen as ``erm``'s, and deployed as one ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from benchmark.api import Batch, Data, Examples, Method, Needs, Options, Phase, Task
from benchmark.errors import BenchmarkError


class DFR(Method):
    """Cross-entropy, then a sparse logistic regression on the features."""

    class Settings(Options):
        """The symbol of the paper's code in brackets."""

        inverse_penalty: tuple[float, ...] = Field(
            (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01), min_length=1, description="[C] to choose from"
        )
        subsets: int = Field(10, ge=1, description="random subsets whose fits are averaged")
        iterations: int = Field(1000, ge=1, description="at most, of one fit")

    settings: Settings
    needs = Needs(groups=True, balanced=True)
    source = "Kirichenko, Izmailov and Wilson 2023, ICLR (arXiv 2204.02937), section 4"

    def build(self, task: Task) -> nn.Module:
        network = super().build(task)
        last_layer(network)  # refused before hours of training
        return network

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return Phase("train", epochs, self.loss), Phase("refit", 0, self.loss, begin=self.refit)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image), batch.label)}

    def refit(self, network: nn.Module, data: Data, rng: torch.Generator) -> None:
        """Writes the new last layer into the network."""
        if data.balanced is None:
            raise BenchmarkError("DFR's images without bias", expected="a set", do="Set needs.balanced on the method.")
        layer, o = last_layer(network), self.settings
        deviation, mean = torch.std_mean(features(network, data.train)[0], 0, correction=0)
        deviation = torch.where(deviation > 0, deviation, 1.0)
        x, label, group = features(network, data.balanced)
        x = (x - mean) / deviation
        classes = layer.out_features
        if missing := sorted(set(range(classes)) - set(label.tolist())):
            raise BenchmarkError("classes of DFR's images without bias", got=f"none of class {missing[0]}")
        penalty = o.inverse_penalty[0]
        if len(o.inverse_penalty) > 1:
            first, second = halves(group, rng)
            rows = first[balanced_subset(group[first], rng)]
            fits = [fit(x[rows], label[rows], classes, c, o.iterations) for c in o.inverse_penalty]
            scores = [by_group((x[second] @ v.T + b).argmax(1) == label[second], group[second]) for v, b in fits]
            penalty = o.inverse_penalty[scores.index(max(scores))]
        rows = torch.stack([balanced_subset(group, rng) for _ in range(o.subsets)])
        weight, bias = (part.mean(0) for part in fit(x[rows], label[rows], classes, penalty, o.iterations))
        weight = weight / deviation
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias - weight @ mean)


def last_layer(network: nn.Module) -> nn.Linear:
    """The classifier of a timm network.

    Raises:
        BenchmarkError: If it is not one linear layer with a bias.
    """
    layer = getattr(network, "get_classifier", lambda: None)()
    if isinstance(layer, nn.Linear) and layer.bias is not None:
        return layer
    raise BenchmarkError(
        "DFR fits a linear last layer anew",
        got=type(layer).__name__,
        expected="a timm network with a Linear classifier",
        do="Choose another backbone in the method's YAML.",
    )


def features(network: nn.Module, examples: Examples) -> tuple[Tensor, Tensor, Tensor]:
    """What the last layer gets (float64 ``[N, D]``), label and group of each image, on the CPU."""
    inputs: list[Tensor] = []
    labels, groups = [], []

    def keep(_layer: nn.Module, given: tuple[Any, ...]) -> None:
        inputs.append(given[0].double().cpu())

    layer = last_layer(network)
    hook = layer.register_forward_pre_hook(keep)
    try:
        with torch.no_grad():
            for batch in examples.batches():
                network(batch.image)
                labels.append(batch.label.cpu())
                groups.append((batch.label * (layer.out_features + 1) + batch.codes + 1).cpu())
    finally:
        hook.remove()
    return torch.cat(inputs), torch.cat(labels), torch.cat(groups)


def members(group: Tensor, rng: torch.Generator) -> list[Tensor]:
    """The rows of each group that has any, in random order."""
    order = torch.randperm(len(group), generator=rng)
    return [order[group[order] == one] for one in sorted(set(group.tolist()))]


def balanced_subset(group: Tensor, rng: torch.Generator) -> Tensor:
    """Rows in which each group comes as often as the smallest, drawn without replacement."""
    rows = members(group, rng)
    smallest = min(map(len, rows))
    return torch.cat([each[:smallest] for each in rows])


def halves(group: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """All rows in two random halves that have equal shares of each group, up to one image."""
    rows = torch.cat(members(group, rng))
    return rows[::2], rows[1::2]


def by_group(right: Tensor, group: Tensor) -> tuple[float, float]:
    """Accuracy of the worst group, and mean over groups."""
    accuracies = torch.stack([right[group == one].double().mean() for one in sorted(set(group.tolist()))])
    return accuracies.min().item(), accuracies.mean().item()


def fit(
    x: Tensor, label: Tensor, classes: int, c: float, iterations: int, tolerance: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """The minimum of ``sum |V| + c sum CE``: FISTA (Beck and Teboulle 2009) that restarts where it overshoots.

    Args:
        x: ``[..., N, D]``, also several sets at once.
        label: ``[..., N]``.
        classes: ``K``.
        c: Weight of the sum of cross-entropies.
        iterations: At most.
        tolerance: Ends when no coefficient moves by more.

    Returns:
        Weights ``[..., K, D]`` and bias ``[..., K]``.
    """
    x = torch.cat([x, torch.ones_like(x[..., :1])], -1)
    target = one_hot(label, classes).to(x.dtype)
    # Half the largest eigenvalue of x'x bounds the curvature of a softmax regression.
    step = 2 / (c * torch.linalg.matrix_norm(x, 2).square()[..., None, None])
    shrink = step.expand(*x.shape[:-2], classes, x.shape[-1]).clone()
    shrink[..., -1] = 0  # the bias is not penalised
    now = torch.zeros_like(shrink)
    ahead, momentum = now, 1.0
    for _ in range(iterations):
        slope = c * ((ahead @ x.mT).softmax(-2) - target.mT) @ x
        moved = ahead - step * slope
        after = moved.sign() * (moved.abs() - shrink).clamp(min=0)
        if ((ahead - after) * (after - now)).sum() > 0:
            momentum = 1.0
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = after + (momentum - 1) / following * (after - now)
        done = (after - now).abs().max() < tolerance
        now, momentum = after, following
        if done:
            break
    return now[..., :-1], now[..., -1]
