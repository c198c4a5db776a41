r"""Activations: :math:`g_z = g_y \, \frac{f(z)}{z} \, \frac{|z|}{|z| + \epsilon}`.

Relevance passes an activation unchanged (``z g_z = y g_y``), up to what the stabiliser of the linear layer below
absorbs. The ratio ``f(z)/z`` is written in closed form, so nothing is divided by a small ``z``. It is not detached: it
is part of the second backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from isnet.lrp.kernels import epsilon_relu
from isnet.lrp.rules.base import Grads, Settings, Step, rule


@rule("ReluBackward0")
def relu(step: Step, settings: Settings) -> Grads:
    y = step.saved("result")
    return (step.g * (y > 0) if settings.eps == 0 else epsilon_relu(step.g, y, settings.eps),)


def stabilised(z: Tensor, eps: float) -> Tensor | float:
    """The share ``|z| / (|z| + eps)`` that the stabiliser leaves."""
    if eps == 0:
        return 1.0
    magnitude = z.abs()
    return magnitude / (magnitude + eps)


def elu_ratio(z: Tensor, negative: float, slope: float, positive: float) -> Tensor:
    """``f(z)/z`` of ``positive * z`` above 0 and ``negative * (exp(slope * z) - 1)`` below."""
    below = torch.where(z < 0, z, -1.0)  # keeps the unused branch, and its derivative, finite
    return torch.where(z < 0, negative * torch.expm1(slope * below) / below, positive)


def leaky_ratio(z: Tensor, slope: float) -> Tensor:
    """``slope`` below 0 and 1 above, in the precision of ``z``."""
    return torch.where(z < 0, torch.full_like(z, slope), torch.ones_like(z))


def hardtanh_ratio(z: Tensor, low: float, high: float) -> Tensor:
    """``clamp(z, low, high)/z`` for ``low <= 0 <= high``."""
    outside = torch.where((z < low) | (z > high), z, 1.0)
    ratio = torch.ones_like(z)
    for bound, beyond in ((low, z < low), (high, z > high)):
        if math.isfinite(bound):
            ratio = torch.where(beyond, bound / outside, ratio)
    return ratio


def gelu_ratio(z: Tensor, approximate: str) -> Tensor:
    if approximate == "none":
        ratio: Tensor = torch.special.ndtr(z)
        return ratio
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


Ratio = Callable[[Step, Tensor], Tensor]

RATIOS: dict[str, Ratio] = {
    "SiluBackward0": lambda step, z: torch.sigmoid(z),
    "GeluBackward0": lambda step, z: gelu_ratio(z, step.saved("approximate")),
    "MishBackward0": lambda step, z: torch.tanh(functional.softplus(z)),
    "HardswishBackward0": lambda step, z: functional.relu6(z + 3) / 6,
    "LeakyReluBackward0": lambda step, z: leaky_ratio(z, float(step.saved("negative_slope"))),
    "HardtanhBackward0": lambda step, z: hardtanh_ratio(z, float(step.saved("min_val")), float(step.saved("max_val"))),
    "EluBackward0": lambda step, z: elu_ratio(
        z,
        float(step.saved("alpha")) * float(step.saved("scale")),
        float(step.saved("input_scale")),
        float(step.saved("scale")),
    ),
    "CeluBackward0": lambda step, z: elu_ratio(z, float(step.saved("alpha")), 1 / float(step.saved("alpha")), 1.0),
}
"""``f(z)/z`` of the activations whose node keeps its input."""


@rule(*RATIOS)
def activation(step: Step, settings: Settings) -> Grads:
    z = step.saved("self")
    return (step.g * (RATIOS[step.node.name()](step, z) * stabilised(z, settings.eps)),)


@rule("ClampBackward1")
def clamp(step: Step, settings: Settings) -> Grads:
    low, high = (
        default if bound is None else float(bound)
        for bound, default in ((step.saved("min"), -math.inf), (step.saved("max"), math.inf))
    )
    if not low <= 0 <= high:
        raise ValueError("only a clamp to a range that holds 0 is an activation")
    z = step.saved("self")
    return (step.g * (hardtanh_ratio(z, low, high) * stabilised(z, settings.eps)),)


@rule("ClampMinBackward0")
def clamp_below(step: Step, settings: Settings) -> Grads:
    if step.saved("min") != 0:
        raise ValueError("a lower bound other than 0 is no activation")
    z = step.saved("self")
    return (step.g * ((z > 0) * stabilised(z, settings.eps)),)


@rule("TanhBackward0")
def tanh(step: Step, settings: Settings) -> Grads:
    """Of the result, which is what the node keeps; next to 0 by the series, where the quotient loses digits."""
    y = step.saved("result")
    near, edge = y.abs() < 1e-3, 1 - torch.finfo(y.dtype).eps
    far = torch.atanh(torch.where(near, 0.5, y).clamp(-edge, edge))
    z = torch.where(near, y * (1 + y.square() / 3), far)
    ratio = torch.where(near, 1 - y.square() / 3, y / far)
    return (step.g * ratio * stabilised(z, settings.eps),)


@rule("LeakyReluBackward1")
def leaky_relu_in_place(step: Step, settings: Settings) -> Grads:
    """The in-place node keeps its result, from which the input is computed back."""
    y, slope = step.saved("result"), float(step.saved("negative_slope"))
    if slope == 0:
        return (step.g * (y > 0) * stabilised(y, settings.eps),)
    z = torch.where(y < 0, y / slope, y)
    return (step.g * (leaky_ratio(z, slope) * stabilised(z, settings.eps)),)


@rule("EluBackward1")
def elu_in_place(step: Step, settings: Settings) -> Grads:
    """As for the leaky ReLU: below 0, ``z = log(1 + y / negative) / slope``."""
    y = step.saved("result")
    scale = float(step.saved("scale"))
    negative, slope = float(step.saved("alpha")) * scale, float(step.saved("input_scale"))
    below = torch.where(y < 0, y, torch.zeros_like(y))
    z = torch.where(y < 0, torch.log1p(below / negative) / slope, y / scale)
    return (step.g * (elu_ratio(z, negative, slope, scale) * stabilised(z, settings.eps)),)


@rule("PowBackward0")
def power(step: Step, settings: Settings) -> Grads:
    """``u^p = u^(p-1) * u``, of which the last factor is the signal."""
    exponent = float(step.saved("exponent"))
    if exponent < 1:
        raise ValueError(f"a power of {exponent:g} is no activation")
    return (step.g * step.saved("self") ** (exponent - 1),)
