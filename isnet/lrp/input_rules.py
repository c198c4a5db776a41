r"""The :math:`z^B` rule for the first convolution, whose input is an image in a known box.

.. math:: R_j = \sum_k \frac{x_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-}
                {\sum_i (x_i w_{ik} - l_i w_{ik}^+ - h_i w_{ik}^-) + b_k - l b_k^+ - h b_k^- \pm \epsilon} R_k

Montavon et al. 2017, "Explaining nonlinear classification decisions with deep Taylor decomposition", with the bias
in the denominator as in the ISNet (arXiv 2202.00232). The ISNet's code scales the bias by ``l`` and ``h``, which has
a meaning for the box [0, 1] only; with ``l = 0``, ``h = 1`` that leaves ``b+``. For another box the bias stays whole.
Batch norm behind the convolution is folded into it with the statistics that the forward used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.kernels import channel_view, conv_input
from isnet.lrp.rules import Grads, Settings, batch_norm_affine, geometry

aten = torch.ops.aten
Box = tuple[float | Sequence[float], float | Sequence[float]]


def sign(z: Tensor) -> Tensor:
    """The sign with ``sign(0) = +1``."""
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


@dataclass(frozen=True)
class InputRule:
    """:math:`z^B` on every convolution that reads the image.

    Attributes:
        low: Smallest pixel value, one number or one a channel, after normalisation.
        high: Largest pixel value.
    """

    low: float | Sequence[float]
    high: float | Sequence[float]

    def plan(self, order: Sequence[Any], goal: Any) -> dict[Any, Any]:
        """Which nodes the rule takes over: each first convolution, and the batch norm that it feeds.

        Returns:
            A map from a first convolution to its batch norm (or None), and from that batch norm to itself.
        """
        first = {
            node: None for node in order if node.name() == "ConvolutionBackward0" and node.next_functions[0][0] is goal
        }
        plan: dict[Any, Any] = dict(first)
        for node in order:
            fed = node.next_functions[0][0] if node.next_functions else None
            if "BatchNorm" in node.name() and fed in first:
                plan[fed] = plan[node] = node
        return plan

    def apply(self, node: Any, g: Tensor, plan: Mapping[Any, Any], settings: Settings) -> tuple[Grads, Tensor | None]:
        """Passes a folded batch norm by; at the convolution, returns the relevance of the image."""
        if node.name() != "ConvolutionBackward0":
            return (g, None, None), None
        return (None, None, None), self.relevance(node, plan[node], g, settings.eps)

    def relevance(self, node: Any, norm: Any, g: Tensor, eps: float) -> Tensor:
        """The formula above, for one convolution node with ``g`` at its (normalised) output."""
        x, weight, bias = node._saved_input.detach(), node._saved_weight, bias_of(node)
        if norm is not None:
            scale, mean = batch_norm_affine(norm)
            weight = weight * scale.view(-1, *(1,) * (weight.dim() - 1))
            shift = bias_of(norm)
            bias = (0 if shift is None else shift) + ((0 if bias is None else bias) - mean) * scale
        shape = geometry(node)
        low, high = self.bound(self.low, x), self.bound(self.high, x)
        positive, negative = weight.clamp(min=0), weight.clamp(max=0)
        z = aten.convolution(x, weight, bias, *shape)
        box = aten.convolution(low, positive, None, *shape) + aten.convolution(high, negative, None, *shape)
        below = z - box
        if bias is not None and (self.low, self.high) == (0.0, 1.0):
            below = below - channel_view(bias.clamp(max=0), below)
        share = g * (z + eps * sign(z)) / (below + (eps or 1e-9) * sign(below))

        def back(w: Tensor) -> Tensor:
            return conv_input(share, w, x, shape)

        result: Tensor = x * back(weight) - low * back(positive) - high * back(negative)
        return result

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


def bias_of(node: Any) -> Tensor | None:
    """The bias parameter of a convolution or batch-norm node."""
    leaf = node.next_functions[2][0]
    variable: Tensor | None = getattr(leaf, "variable", None)
    return variable
