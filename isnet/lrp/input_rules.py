r"""Rules of the first convolution, whose input is an image and not an activation.

:math:`z^B`, for pixels in a known box:

.. math:: R_j = \sum_k \frac{x_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-}
                {\sum_i (x_i w_{ik} - l_i w_{ik}^+ - h_i w_{ik}^-) + b_k - l b_k^+ - h b_k^- \pm \epsilon} R_k

Montavon et al. 2017, "Explaining nonlinear classification decisions with deep Taylor decomposition", with the bias
in the denominator as in the ISNet (arXiv 2202.00232). The ISNet's code scales the bias by ``l`` and ``h``, which has
a meaning for the box [0, 1] only; with ``l = 0``, ``h = 1`` that leaves ``b+``. For another box the bias stays whole.

:math:`w^2`, for unbounded pixels, and flat, which spreads relevance evenly over a window:

.. math:: R_j = \sum_k \frac{w_{jk}^2}{\sum_i w_{ik}^2} R_k \qquad
          R_j = \sum_k \frac{1}{\sum_i 1} R_k

the same paper, and Lapuschkin et al. 2019. Both conserve all relevance, and neither sees the pixels' values.
Batch norm behind the convolution is folded into it with the statistics that the forward used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from isnet.lrp.convolutions import Geometry
from isnet.lrp.kernels import channel_view, conv_input
from isnet.lrp.rules.base import LEAF, Grads, Settings
from isnet.lrp.rules.linear import geometry
from isnet.lrp.rules.norms import batch_norm_affine

aten = torch.ops.aten
Box = tuple[float | Sequence[float], float | Sequence[float]]
First = Literal["epsilon", "zb", "w2", "flat"]
HOOK = "BackwardHookFunctionBackward"


def signed(size: float, z: Tensor) -> Tensor:
    """``size`` with the sign of ``z``, that of 0 being +1."""
    return torch.copysign(z.new_full((), size), z.detach() + 0.0)  # -0.0 + 0.0 is +0.0


def stabilise(z: Tensor, eps: float) -> Tensor:
    """``z`` moved away from 0 by ``eps``, or by next to nothing where ``eps`` is 0."""
    return z + signed(eps or 1e-9, z)


def back_twice(share: Tensor, up: Tensor, down: Tensor, x: Tensor, shape: Geometry) -> tuple[Tensor, ...]:
    """``up^T share`` and ``down^T share``: one product with twice the channels, which costs little more."""
    if shape.groups > 1:
        return conv_input(share, up, x, shape), conv_input(share, down, x, shape)
    stacked = torch.cat([up, down], dim=0 if shape.transposed else 1)
    shape_only = x.new_empty(1).expand(x.shape[0], 2 * x.shape[1], *x.shape[2:])
    return conv_input(share, stacked, shape_only, shape).chunk(2, dim=1)


@dataclass(frozen=True)
class InputRule:
    """One of the rules on every convolution that reads the image.

    Attributes:
        kind: Which one.
        low: Smallest pixel value, one number or one a channel, after normalisation (``zb``).
        high: Largest pixel value.
    """

    kind: First
    low: float | Sequence[float] = 0.0
    high: float | Sequence[float] = 1.0

    def plan(self, order: Sequence[Any], goal: Any) -> dict[Any, Any]:
        """Which nodes the rule takes over: each first convolution, and the batch norm that alone it feeds.

        Returns:
            A map from a first convolution to its batch norm (or None), and from that batch norm to itself.

        Raises:
            ValueError: If the image enters something that is no convolution.
        """
        users: dict[Any, list[Any]] = {}
        for node in order:
            for child, _ in node.next_functions:
                users.setdefault(child, []).append(node)
        plan: dict[Any, Any] = {}
        for node in after_hooks(goal, users):
            if node.name() != "ConvolutionBackward0":
                raise ValueError(
                    f"first={self.kind!r} needs a network that begins with a convolution, but the image enters "
                    f"{node.name()!r}: use first='epsilon', or normalise before the model and give the box"
                )
            following = after_hooks(node, users)
            norm = following[0] if len(following) == 1 and "BatchNorm" in following[0].name() else None
            plan[node] = norm
            if norm is not None:
                plan[norm] = norm
        return plan

    def apply(self, node: Any, g: Tensor, plan: Mapping[Any, Any], settings: Settings) -> tuple[Grads, Tensor | None]:
        """Passes a folded batch norm by; at the convolution, returns the relevance of the image."""
        if node.name() != "ConvolutionBackward0":
            return (g, None, None), None
        return (None, None, None), self.relevance(node, plan[node], g, settings)

    def relevance(self, node: Any, norm: Any, g: Tensor, settings: Settings) -> Tensor:
        """The formulas above, for one convolution node with ``g`` at its (normalised) output."""
        x, weight, bias = node._saved_input.detach().to(g.dtype), node._saved_weight.to(g.dtype), bias_of(node)
        if norm is not None:
            scale, mean = batch_norm_affine(norm, settings, g.dtype)
            weight = weight * scale.view(-1, *(1,) * (weight.dim() - 1))
            shift = bias_of(norm)
            bias = (0 if shift is None else shift) + ((0 if bias is None else bias) - mean) * scale
        shape = geometry(node)
        z = aten.convolution(x, weight, bias, *shape)
        if self.kind == "zb":
            return self.boxed(x, weight, bias, z, g, shape, settings.eps)
        share_of = weight.square() if self.kind == "w2" else torch.ones_like(weight)
        norms = aten.convolution(torch.ones_like(x[:1]), share_of, None, *shape)
        return conv_input(g * z / stabilise(norms, settings.eps if self.kind == "w2" else 0), share_of, x, shape)

    def boxed(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, z: Tensor, g: Tensor, shape: Geometry, eps: float
    ) -> Tensor:
        """:math:`z^B`; ``g`` carries ``z g / (z + eps)``'s share already, which the factor below takes back."""
        low, high = self.bound(self.low, x), self.bound(self.high, x)
        positive = weight.clamp(min=0)
        negative = weight - positive
        box = aten.convolution(low, positive, None, *shape) + aten.convolution(high, negative, None, *shape)
        below = z - box
        if bias is not None and (self.low, self.high) == (0.0, 1.0):
            below = below - channel_view(bias.clamp(max=0), below)
        share = g * ((z + signed(eps, z)) / stabilise(below, eps))
        to_low, to_high = back_twice(share, positive, negative, x, shape)
        return (x - low) * to_low + (x - high) * to_high

    @staticmethod
    def bound(value: float | Sequence[float], x: Tensor) -> Tensor:
        """One side of the box as an image ``[1, C, H, W]``.

        Raises:
            ValueError: If the number of values is neither one nor the number of channels.
        """
        values = torch.as_tensor(value, dtype=x.dtype, device=x.device).flatten()
        if values.numel() not in (1, x.shape[1]):
            raise ValueError(
                f"box has {values.numel()} values a side but the image has {x.shape[1]} channels: "
                "give one number or one a channel"
            )
        return channel_view(values, x).expand(1, *x.shape[1:])


def after_hooks(node: Any, users: Mapping[Any, Sequence[Any]]) -> list[Any]:
    """The nodes that use ``node``; a module's full backward hook puts an identity in between."""
    found = []
    for user in users.get(node, ()):
        found.extend(after_hooks(user, users) if user.name() == HOOK else [user])
    return found


def bias_of(node: Any) -> Tensor | None:
    """The bias of a convolution, batch-norm or linear node.

    Raises:
        ValueError: If the bias is frozen or computed: the graph does not hold it.
    """
    if hasattr(node, "_saved_bias"):
        kept: Tensor | None = node._saved_bias
        return kept
    leaf = node.next_functions[2][0]
    while leaf is not None and leaf.name() == "ToCopyBackward0":  # a bias in lower precision is a copy of its parameter
        leaf = leaf.next_functions[0][0]
    if leaf is None and has_bias(node):
        raise ValueError(f"the bias of a {node.name()!r} is frozen: call model.requires_grad_(True) before the forward")
    if leaf is not None and leaf.name() != LEAF:
        raise ValueError(f"the bias of a {node.name()!r} is computed by {leaf.name()!r}: make it a parameter")
    variable: Tensor | None = getattr(leaf, "variable", None)
    return variable


def has_bias(node: Any) -> bool:
    """Whether a node whose bias has no edge has one nevertheless: an affine norm does, a convolution notes its size."""
    if hasattr(node, "_saved_bias_sym_sizes_opt"):
        return node._saved_bias_sym_sizes_opt not in (None, [0], (0,))
    return getattr(node, "_saved_weight", None) is not None and "BatchNorm" in node.name()
