r"""Does the map depend on what the model has learned? Explain a model of random weights and compare.

.. math:: \text{similarity} = \rho_{\text{Spearman}}\big(|R_\theta|, |R_{\theta'}|\big), \qquad \theta' \text{ random}

An explainer that ignores the weights, as an edge detector does, draws the same map twice: 1.

Caveats. A low similarity does not prove that a map is right: random noise passes. A high one does not prove a bad
explainer where the task lets every model look at the same place (Yona and Greenfeld 2021, arXiv 2110.14297), and a map
that multiplies by the input copies the image's outline for any weights (Sundararajan and Taly 2018, arXiv 1806.04205).
Pixels where *both* maps are exactly 0 are therefore left out: from a black baseline the relevance of a black pixel is 0
by definition, and most of a digit's picture is black. With them, integrated gradients of a trained and of a random
network on digits correlate by 0.99; without, by 0.37, which is what the common factor gives by itself
(:mod:`benchmark.metrics.guards`). All layers are randomised at once: a cascade from the top leaves the forward pass
below as it was (Binder et al. 2023, CVPR, arXiv 2211.12486).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.seeding import torch_stream

CONSTANT_SPREAD = 0.1
"""Standard deviation given to a tensor of equal values, in units of that value; of zeros, as it is."""


def randomised(model: nn.Module, seed: int, image: Tensor | None = None) -> nn.Module:
    """A deep copy that has learned nothing: every parameter is drawn anew.

    Each tensor becomes normal numbers of its own mean and standard deviation. So every layer keeps the scale that its
    neighbours expect, and no parameter is left as it was because its layer has no way to reset itself (position
    embeddings, class tokens, gates). Buffers that nobody learns (tables, indices) stay, and so do frozen statistics.

    Running means and variances of normalisation layers belong to the old weights: beside new ones, units would be
    switched off or saturated by them. They are estimated anew on ``image``, as training would have done; without
    images they start at 0 and 1, and then a deep network may drift towards constant outputs.

    Args:
        model: Left as it is, and no global random state is touched.
        seed: Root of the draws; each tensor's stream is addressed by its name.
        image: ``[N, C, H, W]``, N >= 2, for running statistics.

    Returns:
        The copy, on the same device, in evaluation mode.

    Raises:
        BenchmarkError: If there are parameters or running statistics that are not finite, or fewer than 2 images.

    Source:
        Adebayo et al. 2018, "Sanity checks for saliency maps", NeurIPS, arXiv 1810.03292.
    """
    twin = copy.deepcopy(model).eval()
    for name, parameter in twin.named_parameters():
        if parameter.numel():
            _redraw(name, parameter, seed)
    norms = [module for module in twin.modules() if isinstance(module, _NormBase) and module.running_mean is not None]
    for norm in norms:
        norm.reset_running_stats()
    if norms and image is not None:
        _estimate(twin, norms, image)
    return twin


def _redraw(name: str, parameter: nn.Parameter, seed: int) -> None:
    old = parameter.detach().double().cpu()
    if not old.isfinite().all():
        raise BenchmarkError(f"parameter {name!r} is not finite", do="Look at the training's log.")
    mean, spread = old.mean(), old.std(correction=0)
    if spread <= 1e-6 * mean.abs():  # a fresh gain, a bias of zeros, a single number
        spread = CONSTANT_SPREAD * (mean.abs() if mean != 0 else torch.ones(()))
    rng = torch_stream(seed, "randomised", name)
    drawn = mean + spread * torch.randn(old.shape, generator=rng, dtype=torch.float64)
    with torch.no_grad():
        parameter.copy_(drawn)


def _estimate(model: nn.Module, norms: list[_NormBase], image: Tensor) -> None:
    """Running statistics of one batch, layer by layer in one forward; all else stays in evaluation mode."""
    if len(image) < 2:
        raise BenchmarkError("images for running statistics", got=len(image), expected="at least 2")
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # the batch alone
        norm.train()
    with torch.no_grad():
        model(image)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
        norm.eval()
        if not all(found.isfinite().all() for found in (norm.running_mean, norm.running_var) if found is not None):
            raise BenchmarkError("running statistics of a randomised model are not finite", do="Give other images.")


def similarity(first: Floats, second: Floats) -> Floats:
    """Spearman's rank correlation of the absolute maps, over the pixels where one of them is not 0.

    Args:
        first: ``[N, H, W]``, such as those of the trained model.
        second: ``[N, H, W]`` of the same images, such as those of its randomised copy.

    Returns:
        ``[N]`` in [-1, 1]; NaN where a map is constant (over all pixels, or over those compared).

    Raises:
        BenchmarkError: If shapes do not fit or a value is not finite.
    """
    first, second = np.abs(np.asarray(first, np.float64)), np.abs(np.asarray(second, np.float64))
    if first.ndim != 3 or first.shape != second.shape:
        raise BenchmarkError(
            "maps to compare",
            got=f"shapes {first.shape} and {second.shape}",
            expected="[N, H, W] twice",
            do="Sum the relevance over channels first.",
        )
    if len(bad := np.flatnonzero(~(np.isfinite(first) & np.isfinite(second)).all((1, 2)))):
        raise BenchmarkError(f"relevance of image {bad[0]} is not finite", do="Look for an explainer that overflows.")
    return np.array([_one(a.ravel(), b.ravel()) for a, b in zip(first, second, strict=True)], np.float64)


def _one(a: Floats, b: Floats) -> float:
    compared = (a != 0) | (b != 0)
    a, b = a[compared], b[compared]
    if not len(a) or (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    return float(np.clip(spearmanr(a, b).statistic, -1, 1))
