r"""Rules of linear layers, as sums of fractions.

With :math:`a^\pm, w^\pm` the positive and negative parts,

.. math:: R_j = \sum_f \sum_k \frac{a_j^+ u_{jk}^f + a_j^- v_{jk}^f}{\sum_i (a_i^+ u_{ik}^f + a_i^- v_{ik}^f) + b_k^f
                \pm \epsilon} \lambda_k^f R_k

========================= ============================================== ==================================
rule                      :math:`u, v, b^f`                              :math:`\lambda`
========================= ============================================== ==================================
:math:`\epsilon`          :math:`w, w, b`                                1
:math:`\alpha\beta`       :math:`w^+, w^-, b^+` and :math:`w^-, w^+,     :math:`\alpha` and :math:`-\beta`
                          b^-`
:math:`\gamma`            :math:`w + \gamma w^+, w + \gamma w^-,         :math:`z > 0` and :math:`z < 0`
                          b + \gamma b^+` and with all signs turned
========================= ============================================== ==================================

:math:`z^+` is :math:`\alpha 1 \beta 0`. Bach et al. 2015 (eq. 58, 60); gamma of Montavon et al. 2019, "Layer-wise
relevance propagation: an overview", for inputs of both signs as in Andeol et al. 2021. In ``g`` notation
(``R = a g``), :math:`g_j` is the same sum with :math:`u` where :math:`a_j \ge 0` and :math:`v` where :math:`a_j < 0`:
nothing is divided by :math:`a_j`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from isnet.lrp.composites.layers import Layer
from isnet.lrp.input_rules import stabilise


@dataclass(frozen=True)
class Fraction:
    """One term of a rule: ``u``, ``v``, ``b`` and the factor of the formula above.

    Attributes:
        positive: ``u``, met by inputs above 0.
        negative: ``v``, met by inputs below 0; ``None`` if there are none.
        bias: ``b``.
        factor: A number, or a mask of the outputs.
        below_zero: Whether the denominator is negative by construction, so that 0 is stabilised downwards.
    """

    positive: Tensor
    negative: Tensor | None
    bias: Tensor | None
    factor: Tensor | float = 1.0
    below_zero: bool = False


class Rule(Protocol):
    """How one layer shares relevance among its inputs."""

    def fractions(self, layer: Layer) -> Iterator[Fraction]:
        """The terms of the rule, without those that are 0."""


def signs_apart(value: Tensor) -> tuple[Tensor, Tensor]:
    """Positive and negative part; the ReLU's backward is one kernel, that of a clamp three."""
    positive = torch.relu(value)
    return positive, value - positive


@dataclass(frozen=True)
class Epsilon:
    """Shares as the layer itself adds up."""

    def fractions(self, layer: Layer) -> Iterator[Fraction]:
        yield Fraction(layer.weight, layer.weight, layer.bias)


@dataclass(frozen=True)
class AlphaBeta:
    """Positive and negative contributions apart.

    Attributes:
        alpha: Share of the positive ones, at least 1.
        beta: Share of the negative ones, ``alpha - 1``.

    Raises:
        ValueError: If relevance would not be conserved.
    """

    alpha: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        if self.beta < 0 or self.alpha - self.beta != 1:
            raise ValueError(f"alpha - beta must be 1 and beta 0 or more, got alpha={self.alpha}, beta={self.beta}")

    def fractions(self, layer: Layer) -> Iterator[Fraction]:
        up, down = signs_apart(layer.weight)
        bias_up, bias_down = (None, None) if layer.bias is None else signs_apart(layer.bias)
        one_sign = layer.nonnegative
        yield Fraction(up, None if one_sign else down, bias_up, self.alpha)
        if self.beta:
            yield Fraction(down, None if one_sign else up, bias_down, -self.beta, below_zero=True)


@dataclass(frozen=True)
class Gamma:
    """Contributions of the output's own sign are enlarged.

    Attributes:
        gamma: By how much, 0 (LRP-0) or more.

    Raises:
        ValueError: If negative.
    """

    gamma: float = 0.25

    def __post_init__(self) -> None:
        if not self.gamma >= 0:
            raise ValueError(f"gamma must be 0 or positive, got {self.gamma}")

    def fractions(self, layer: Layer) -> Iterator[Fraction]:
        up, down = self.enlarged(layer.weight)
        bias_up, bias_down = (None, None) if layer.bias is None else self.enlarged(layer.bias)
        one_sign = layer.nonnegative
        yield Fraction(up, None if one_sign else down, bias_up, (layer.z > 0).to(layer.z.dtype))
        if not layer.rectified:
            yield Fraction(down, None if one_sign else up, bias_down, (layer.z < 0).to(layer.z.dtype), below_zero=True)

    def enlarged(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """``value`` with its positive part, and with its negative part, enlarged."""
        up, down = signs_apart(value)
        return value + self.gamma * up, value + self.gamma * down


def share(layer: Layer, rule: Rule, g: Tensor, eps: float, own_output: bool = False) -> Tensor:
    """What the inputs of a layer get.

    Args:
        layer: Its numbers.
        rule: Says which fractions.
        g: What arrived at its output, in that shape.
        eps: Stabiliser of the denominators, with their sign.
        own_output: Start with the denominator as the output's relevance instead of ``z`` (the outermost layer of the
            ISNet's z+ map, whose logits are computed with ``w+`` and ``b+``).

    Returns:
        ``g`` of the input, in the input's shape.
    """
    parts = [part(layer, fraction, g, eps, own_output) for fraction in rule.fractions(layer)]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def part(layer: Layer, fraction: Fraction, g: Tensor, eps: float, own_output: bool) -> Tensor:
    """One fraction of :func:`share`."""
    a, u, v = layer.a, fraction.positive, fraction.negative
    if u is v:
        total = layer.z
    elif v is None:
        total = layer.forward(a, u, fraction.bias)
    else:
        total = layer.forward(a.clamp(min=0), u, fraction.bias) + layer.forward(a.clamp(max=0), v, None)
    stabilised = -stabilise(-total, eps) if fraction.below_zero else stabilise(total, eps)
    shares = g * ((total if own_output else layer.z) * fraction.factor / stabilised)
    to_positive = layer.back(shares, u)
    return to_positive if v is None or v is u else torch.where(a < 0, layer.back(shares, v), to_positive)
