r"""Path sampling: explain points on the way to another background instead of the image alone.

.. math:: x_\alpha = M \odot x + (1 - M) \odot \big(b + \alpha (x - b)\big), \qquad \alpha \sim U(0, 1)

A shortcut can work by *inhibition*: units that the mark switches off have zero gradient where the mark is, so no
gradient-based heatmap of that image shows them, and a network can drive its heatmap loss to zero while it still reads
the mark. But such a unit must switch somewhere between the image with and without its background. For plain gradients
completeness gives :math:`f(x) - f(x_0) = \mathbb{E}_\alpha \sum_{bg} (x - b)\,\nabla f(x_\alpha)`: a bound on the
expected background relevance along the path bounds what the background can do to the logit. (A heatmap of the point
multiplies by :math:`x_\alpha`; then the bound is a square root. docs/when-a-heatmap-lies.md.)
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["none", "zero", "mean", "blur", "other"]
"""Where the path leads, see :func:`background`; ``none`` stays at the image."""

Schedule = Literal["uniform", "ends"]
"""How ``alpha`` is drawn, see :func:`draw`."""

BLUR = 1 / 8
"""Standard deviation of the blur, as a part of the image's side."""


class Point(NamedTuple):
    """A point of the path.

    Attributes:
        x: ``[B, C, H, W]`` the point.
        origin: ``b`` in the background and 0 in the foreground, broadcasts to ``x``: ``x - origin`` of the image
            itself is what the path takes away.
    """

    x: Tensor
    origin: Tensor


def blend(x: Tensor, mask: Tensor, alpha: Tensor, background: Tensor | float = 0.0) -> Tensor:
    """The point of the path at ``alpha``.

    Args:
        x: ``[B, C, H, W]``.
        mask: ``[B, 1, H, W]`` in {0, 1}, 1 = foreground, which stays as it is.
        alpha: ``[B, 1, 1, 1]`` in [0, 1]; 1 gives the image, 0 the other background.
        background: ``b``, a number or an image that broadcasts to ``x``.

    Returns:
        ``[B, C, H, W]``.
    """
    return torch.where(mask > 0, x, background + alpha * (x - background))


def draw(images: int, rng: torch.Generator, schedule: Schedule = "uniform", clean: float = 0.0) -> Tensor:
    r"""One ``alpha`` per image.

    Args:
        images: ``B``.
        rng: CPU generator.
        schedule: ``uniform``, the law of the formula; or ``ends``, Beta(1/2, 1/2), which looks more often near the
            image and near its other background (drawn as :math:`\sin^2(\pi u / 2)`).
        clean: Probability of ``alpha = 1``, the image itself, so that a classifier also trains on what it will meet.

    Returns:
        ``[B, 1, 1, 1]`` in [0, 1].
    """
    alpha = torch.rand(images, 1, 1, 1, generator=rng)
    if schedule == "ends":
        alpha = (alpha * (math.pi / 2)).sin().square()
    if clean > 0:
        alpha = torch.where(torch.rand(images, 1, 1, 1, generator=rng) < clean, 1.0, alpha)
    return alpha


def sample(x: Tensor, mask: Tensor, rng: torch.Generator, background: Tensor | float = 0.0) -> Tensor:
    """:func:`blend` at one uniformly drawn ``alpha`` per image, from a CPU generator."""
    return blend(x, mask, draw(len(x), rng).to(x), background)


def towards(
    kind: Kind,
    x: Tensor,
    mask: Tensor,
    rng: torch.Generator,
    schedule: Schedule = "uniform",
    clean: float = 0.0,
) -> Tensor:
    """A point on the way from each image to another background; the images themselves for ``none``.

    Args:
        kind: Which background, see :func:`background`.
        x: ``[B, C, H, W]``.
        mask: ``[B, 1, H, W]`` in {0, 1}, 1 = foreground.
        rng: CPU generator of all draws.
        schedule: Of ``alpha``, see :func:`draw`.
        clean: Probability of the image itself.
    """
    return point(kind, x, mask, rng, schedule, clean).x


def point(
    kind: Kind,
    x: Tensor,
    mask: Tensor,
    rng: torch.Generator,
    schedule: Schedule = "uniform",
    clean: float = 0.0,
) -> Point:
    """:func:`towards`, with what the path leads to."""
    if kind == "none":
        return Point(x, torch.zeros_like(x))
    b = background(kind, x, mask, rng)
    at = blend(x, mask, draw(len(x), rng, schedule, clean).to(x), b)
    return Point(at, torch.where(mask > 0, 0.0, b))


def background(kind: Kind, x: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
    """The other background ``b``; only its values outside the mask are used.

    Args:
        kind: ``zero``: black. ``mean``: the mean background colour of the batch, one for all images, so that no
            image's own background speaks through it. ``blur``: the image's own background without detail; it
            still tells a colour cast. ``other``: the background of another image of the batch, its foreground
            filled with its blurred background: after training on these paths nothing hangs on which background it is.
        x: ``[B, C, H, W]``.
        mask: ``[B, 1, H, W]`` in {0, 1}.
        rng: CPU generator; ``other`` draws from it.

    Returns:
        Broadcasts to ``x``.
    """
    if kind == "mean":
        return mean_colour(x, mask)
    if kind == "blur":
        return blurred(x, mask)
    if kind == "other":
        partner = partners(len(x), rng).to(x.device)
        return torch.where(mask > 0, blurred(x, mask), x)[partner]
    return x.new_zeros(1, 1, 1, 1)


def mean_colour(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of all background pixels of the batch, a number a channel, ``[1, C, 1, 1]``; 0 if there are none."""
    outside = 1 - mask
    return (x * outside).sum((0, 2, 3), keepdim=True) / outside.sum().clamp(min=1)


def blurred(x: Tensor, mask: Tensor) -> Tensor:
    r"""A Gaussian blur of the background that sees no foreground pixel, ``[B, C, H, W]``, defined everywhere.

    .. math:: b = \frac{G * ((1 - M) \odot x)}{G * (1 - M)}

    The Gaussian has no cut-off, so that the whole foreground, too, is filled from the background around it. An image
    without any background gets the batch's mean colour.
    """
    outside = 1 - mask
    rows, columns = (gaussian(size, x) for size in x.shape[-2:])
    weight = rows @ outside @ columns
    filled = (rows @ (x * outside) @ columns) / weight
    return torch.where(weight > 0, filled, mean_colour(x, mask))


def gaussian(size: int, like: Tensor) -> Tensor:
    """``[size, size]``, ``exp(-(i - j)^2 / 2 s^2)`` with ``s`` = :data:`BLUR` x ``size``: symmetric, never 0."""
    place = torch.arange(size, dtype=like.dtype, device=like.device)
    return (-0.5 * ((place[:, None] - place) / (BLUR * size)).square()).exp()


def partners(images: int, rng: torch.Generator) -> Tensor:
    """Another image for each image, ``[B]``: along one random cycle through the batch, so that none is its own.

    A batch of one image has no other: it keeps its own background, in which only the foreground is filled.
    """
    order = torch.randperm(images, generator=rng)
    return torch.empty_like(order).scatter_(0, order, order.roll(-1))
