r"""A model between an image and the image without its background: what its logit, its heatmap and its units do there.

.. math:: x_\alpha = M \odot x + \alpha (1 - M) \odot x, \qquad
          f(x) - f(x_0) = \int_0^1 \tfrac{1}{\alpha} \sum_{bg} R(x_\alpha)\,d\alpha
          \quad\text{for}\quad R = x_\alpha \odot \nabla f(x_\alpha)

The right side is what a heatmap sees along the way; a heatmap of the image alone sees the integrand at 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import Tensor, nn

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.scoring.models import heatmaps

ALL_LAYERS = "all"
EXPLAINER = "lrp_epsilon"


@dataclass(frozen=True)
class Shown:
    """What a model is shown.

    Attributes:
        image: ``[N, C, H, W]`` in [0, 1], with the mark.
        unmarked: ``[N, C, H, W]``, the same images without it.
        mask: ``[N, H, W]``, 1 = foreground.
        mark: ``[N, H, W]``, 1 = pixel of the mark.
        label: ``[N]``.
    """

    image: Tensor
    unmarked: Tensor
    mask: NDArray[np.uint8]
    mark: NDArray[np.uint8]
    label: Tensor

    def faded(self, alpha: float) -> Tensor:
        """The images with their background at the share ``alpha`` of its brightness."""
        foreground = torch.from_numpy(self.mask)[:, None] == 1
        return torch.where(foreground, self.image, alpha * self.image)


@contextmanager
def active_units(model: nn.Module) -> Iterator[list[tuple[str, NDArray[np.bool_]]]]:
    """Fills a list with name and activity ``[N, units]`` of each ReLU that a forward calls, in the order of the calls.

    Raises:
        BenchmarkError: If the model has no ReLU module.
    """
    found: list[tuple[str, NDArray[np.bool_]]] = []
    relus = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ReLU)]
    if not relus:
        raise BenchmarkError(
            "the model has no ReLU module whose units could be counted", got=type(model).__name__, do="Use a ReLU net."
        )

    def hook(name: str) -> Any:
        return lambda module, given, out: found.append((name, (out > 0).flatten(1).numpy()))

    handles = [module.register_forward_hook(hook(name)) for name, module in relus]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def label_logit(model: nn.Module, image: Tensor, label: Tensor) -> Floats:
    """The logit of each image's label, ``[N]``."""
    with torch.no_grad():
        logit: Floats = model(image).gather(1, label[:, None])[:, 0].double().numpy()
    return logit


def explained(model: nn.Module, image: Tensor, label: Tensor) -> Floats:
    """Signed relevance of each image's label, ``[N, H, W]`` in double precision.

    Raises:
        BenchmarkError: If the explainer does not know an operation of the model.
    """
    return heatmaps(EXPLAINER, model, image, label).astype(np.float64)


def background_relevance(model: nn.Module, shown: Shown, alpha: float) -> Floats:
    """Signed relevance on the background at ``alpha``, ``[N]``."""
    relevance = explained(model, shown.faded(alpha), shown.label)
    total: Floats = (relevance * (shown.mask == 0)).sum(axis=(1, 2))
    return total


def background_slope(model: nn.Module, shown: Shown, alpha: float) -> Floats:
    """Derivative of the label logit by ``alpha``, ``[N]``: background relevance of plain gradients, over ``alpha``."""
    point = shown.faded(alpha).requires_grad_()
    logit = model(point).gather(1, shown.label[:, None]).sum()
    (gradient,) = torch.autograd.grad(logit, point)
    background = torch.from_numpy(shown.mask)[:, None] == 0
    slope: Floats = (gradient * shown.image * background).sum(dim=(1, 2, 3)).double().numpy()
    return slope


def share_off(before: NDArray[np.bool_], now: NDArray[np.bool_]) -> Floats:
    """Of the units that were on, the share that is off, ``[N]`` from ``[N, units]``; NaN where none was on."""
    on = before.sum(axis=1).astype(np.float64)
    share: Floats = np.full(len(on), np.nan)
    np.divide((before & ~now).sum(axis=1), on, out=share, where=on > 0)
    return share


def along_path(model: nn.Module, shown: Shown, alphas: Floats) -> dict[tuple[str, str], Floats]:
    """Every quantity at every ``alpha``.

    Returns:
        ``(quantity, layer)`` to ``[A, N]``: ``label_logit`` and ``background_relevance`` (layer empty), and
        ``switched_off``: of a ReLU layer's units that are on without the background, the share that is off.
    """
    rows: dict[tuple[str, str], list[Floats]] = {}
    with active_units(model) as found:
        label_logit(model, shown.faded(0.0), shown.label)
        before = list(found)
    for alpha in alphas.tolist():
        with active_units(model) as found:
            rows.setdefault(("label_logit", ""), []).append(label_logit(model, shown.faded(alpha), shown.label))
            now = list(found)
        rows.setdefault(("background_relevance", ""), []).append(background_relevance(model, shown, alpha))
        for (name, was), (_, units) in zip(before, now, strict=True):
            rows.setdefault(("switched_off", name), []).append(share_off(was, units))
        both = [np.concatenate([units for _, units in state], axis=1) for state in (before, now)]
        rows.setdefault(("switched_off", ALL_LAYERS), []).append(share_off(*both))
    return {key: np.stack(values) for key, values in rows.items()}


def on_mark(model: nn.Module, shown: Shown, points: int = 20) -> dict[str, float]:
    """Means over the images of what the mark does and of what heatmaps say that it does.

    Args:
        model: In evaluation mode.
        shown: The images.
        points: Of the midpoint rule along the path.

    Returns:
        ``mark_effect``: label logit with the mark minus without; ``mark_relevance``, signed, at the image;
        ``mark_share``, its absolute share of the map; ``background_effect``: label logit with the background minus on
        black; ``path_relevance``, the integral of the module's formula for LRP-epsilon, and ``path_gradient``, the same
        for plain gradients, which is the effect up to the rule's error.
    """
    parts = {"marked": shown.image, "unmarked": shown.unmarked, "black": shown.faded(0.0)}
    logit = {name: label_logit(model, part, shown.label) for name, part in parts.items()}
    relevance = explained(model, shown.image, shown.label)
    size, mark = np.abs(relevance), shown.mark == 1
    middles = ((np.arange(points) + 0.5) / points).tolist()
    return {
        "mark_effect": float((logit["marked"] - logit["unmarked"]).mean()),
        "mark_relevance": float((relevance * mark).sum(axis=(1, 2)).mean()),
        "mark_share": float(((size * mark).sum(axis=(1, 2)) / size.sum(axis=(1, 2))).mean()),
        "background_effect": float((logit["marked"] - logit["black"]).mean()),
        "path_relevance": float(np.mean([background_relevance(model, shown, alpha) / alpha for alpha in middles])),
        "path_gradient": float(np.mean([background_slope(model, shown, alpha) for alpha in middles])),
    }


def mean_interval(values: Floats, level: float = 0.95) -> tuple[float, float, float, int]:
    """Mean of the defined values with Student's interval over images, and how many there are; NaN where undefined."""
    values = values[np.isfinite(values)]
    n = len(values)
    if n < 2:
        return (float(values.mean()) if n else np.nan), np.nan, np.nan, n
    mean, half = values.mean(), student.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(mean), float(mean - half), float(mean + half), n
