r"""Does the model lean on the pixels that the map calls relevant? Take them away and look.

.. math:: \text{road} = \frac1{|Q|} \sum_{q \in Q} p_t\big(x \setminus \text{least relevant } q\big)
                        - p_t\big(x \setminus \text{most relevant } q\big)

with `p_t` the probability of the explained class and `q` a share of the pixels. A map in random order has the
expectation 0, a reversed map the negative value; both ends are taken from one order, so that what any removal does to
an image cancels out in the mean. A map of zeros says nothing of any pixel, so it is neither faithful nor unfaithful.

The order is that of the *signed* relevance: what speaks for the class is removed first, what speaks against it last. A
map of absolute values calls evidence against the class "relevant", and its removal raises `p_t`: such a map of a marked
image of another class would be called unfaithful for being right. Where the model gives the explained class nothing to
begin with, there is nothing to take away, so the images to ask about are those that the model gets right: `iid`.

Caveats. Filled holes hide their values, not their shape, and smooth maps tend to score better than ragged ones of the
same content (Song et al., arXiv 2304.13836). An edge detector scores well wherever the model reads edges: compare with
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.guards.imputation import impute

SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)
NOISE = 0.01
"""Standard deviation of what is added to filled pixels: a hole that is too smooth would give its place away."""

Fill = Callable[[Floats, NDArray[np.bool_]], Floats]


def road(
    model: nn.Module,
    image: Tensor,
    target: Tensor,
    relevance: Floats,
    rng: np.random.Generator,
    shares: Sequence[float] = SHARES,
) -> Floats:
    """Least minus most relevant first, pixels filled in by noisy linear imputation.

    Args:
        model: Images to logits, in evaluation mode.
        image: ``[N, C, H, W]`` in [0, 1].
        target: ``[N]`` the explained class of each image.
        relevance: ``[N, H, W]``, signed, summed over channels.
        rng: Breaks ties and draws the noise.
        shares: Of the pixels that are removed, each in (0, 1).

    Returns:
        ``[N]`` in [-1, 1]; higher is more faithful, a random order has the expectation 0. NaN where a map is 0
        everywhere.

    Raises:
        BenchmarkError: If shapes do not fit, a value is not finite or outside its range, or the logits are not finite.

    Source:
        Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods", ICML (ROAD), arXiv
        2202.00449. The difference of both orders is ``ROADCombined`` of the library pytorch-grad-cam, without its ½.
    """

    def fill(kept: Floats, removed: NDArray[np.bool_]) -> Floats:
        noise = NOISE * rng.standard_normal(kept.shape)
        return np.where(removed[:, None], np.clip(impute(kept, removed) + noise, 0.0, 1.0), kept)

    return _least_minus_most(model, image, target, relevance, rng, shares, fill)


def pixel_flipping(
    model: nn.Module,
    image: Tensor,
    target: Tensor,
    relevance: Floats,
    rng: np.random.Generator,
    shares: Sequence[float] = SHARES,
) -> Floats:
    """As :func:`road`, but removed pixels become the mean of their image and channel: cheap, and easily seen as holes.

    Source:
        Samek et al. 2017, "Evaluating the visualization of what a deep neural network has learned", IEEE TNNLS.
    """

    def fill(kept: Floats, removed: NDArray[np.bool_]) -> Floats:
        return np.where(removed[:, None], kept.mean((2, 3), keepdims=True), kept)

    return _least_minus_most(model, image, target, relevance, rng, shares, fill)


def ranks(relevance: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rank of each pixel of a map ``[N, H, W]``, 0 = least relevant; equal values in random order."""
    flat = relevance.reshape(len(relevance), -1)
    order = np.lexsort((rng.random(flat.shape), flat), axis=1)
    found = np.empty(flat.shape, np.int64)
    np.put_along_axis(found, order, np.arange(flat.shape[1])[None], axis=1)
    return found.reshape(relevance.shape)


def _least_minus_most(
    model: nn.Module,
    image: Tensor,
    target: Tensor,
    relevance: Floats,
    rng: np.random.Generator,
    shares: Sequence[float],
    fill: Fill,
) -> Floats:
    _check(image, target, relevance, shares)
    pixels, rank = image.detach().cpu().double().numpy(), ranks(np.asarray(relevance, np.float64), rng)
    counts = [round(share * rank[0].size) for share in shares]
    least = [rank < count for count in counts]
    most = [rank >= rank[0].size - count for count in counts]
    removed = np.concatenate(least + most)
    filled = fill(np.concatenate([pixels] * (2 * len(counts))), removed).reshape(-1, *pixels.shape)
    # Version by version, each of all images in order: a model that holds one mask an image needs them so.
    with torch.no_grad():
        found = [_probability(model, torch.from_numpy(version).to(image), target) for version in filled]
    kept, taken = np.stack(found).reshape(2, len(counts), -1)
    said = (relevance != 0).any((1, 2))
    score: Floats = np.where(said, (kept - taken).mean(0), np.nan)
    return score


def _probability(model: nn.Module, image: Tensor, target: Tensor) -> Floats:
    logits = model(image).double()
    if logits.ndim != 2 or len(logits) != len(image) or not torch.isfinite(logits).all():
        raise BenchmarkError(
            "logits of images with removed pixels", got=f"shape {tuple(logits.shape)}", expected="finite, [N, K]"
        )
    chosen: Floats = logits.softmax(1).gather(1, target.to(logits.device)[:, None])[:, 0].cpu().numpy()
    return chosen


def _check(image: Tensor, target: Tensor, relevance: Floats, shares: Sequence[float]) -> None:
    fits = image.ndim == 4 and len(image) > 0 and relevance.shape == (len(image), *image.shape[2:])
    if not fits or target.shape != (len(image),):
        raise BenchmarkError(
            "images, targets and relevance",
            got=f"shapes {tuple(image.shape)}, {tuple(target.shape)} and {relevance.shape}",
            expected="[N, C, H, W], [N] and [N, H, W]",
            do="Sum the relevance over channels first.",
        )
    if not bool(((image >= 0) & (image <= 1)).all()):
        raise BenchmarkError("images", got=f"{image.min()} to {image.max()}", expected="values in [0, 1]")
    if len(bad := np.flatnonzero(~np.isfinite(relevance).all((1, 2)))):
        raise BenchmarkError(f"relevance of image {bad[0]} is not finite", do="Look for an explainer that overflows.")
    if not shares or not all(0 < share < 1 for share in shares):
        raise BenchmarkError("shares of removed pixels", got=tuple(shares), expected="numbers in (0, 1)")
    pixels = relevance[0].size
    for share in shares:
        if not 0 < round(share * pixels) < pixels:
            raise BenchmarkError(
                f"share {share} removes {round(share * pixels)} of {pixels} pixels", do="Take another."
            )
