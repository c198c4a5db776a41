"""Which rule acts where: other tools' presets, and maps by other rules than epsilon.

Under a composite activations pass relevance unchanged and the stabiliser acts in the layers' denominators. Sums,
pooling and products are those of the epsilon engine with epsilon 0; a batch norm that is not directly behind a linear
layer (DenseNet's) stays an affine map whose shift absorbs relevance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.composites.layers import CONVOLUTION, Place, find_layers, read
from isnet.lrp.composites.rules import AlphaBeta, Epsilon, Gamma, Rule, share
from isnet.lrp.convolutions import Geometry
from isnet.lrp.graph import Way
from isnet.lrp.input_rules import Box, First, InputRule, back_twice, stabilise
from isnet.lrp.kernels import channel_view
from isnet.lrp.rules.base import Grads, Settings

aten = torch.ops.aten


@dataclass(frozen=True)
class FirstLayer(InputRule):
    """The rules of the first convolution, for ``g`` that no activation has damped.

    Attributes:
        eps: Stabiliser of :math:`z^B`.
        bias: Whether the denominator of :math:`z^B` holds the bias, as in the ISNet; not so in Montavon et al. 2017.
    """

    eps: float = 1e-2
    bias: bool = True

    def boxed(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, z: Tensor, g: Tensor, shape: Geometry, eps: float
    ) -> Tensor:
        low, high = self.bound(self.low, x), self.bound(self.high, x)
        up = weight.clamp(min=0)
        down = weight - up
        total = z - aten.convolution(low, up, None, *shape) - aten.convolution(high, down, None, *shape)
        if bias is not None and not self.bias:
            total = total - channel_view(bias, total)
        elif bias is not None and (self.low, self.high) == (0.0, 1.0):
            total = total - channel_view(bias.clamp(max=0), total)
        shares = g * (z / stabilise(total, self.eps))
        to_low, to_high = back_twice(shares, up, down, x, shape)
        return (x - low) * to_low + (x - high) * to_high


@dataclass(frozen=True)
class Composite:
    """A rule for every linear layer.

    Attributes:
        convolution: Of convolutions, with the batch norm behind them folded in.
        dense: Of matrix products with a weight, likewise.
        first: Of the convolutions that read the image; ``None`` leaves them to the call's ``first``.
        bias_in_box: Whether ``first="zb"`` has the bias in its denominator.
        eps: Stabiliser of all denominators, unless the call gives another.
        own_logits: Start the map from the logits as the outermost layer's rule computes them (for z+, with the
            positive weights and bias) instead of the logits themselves: the z+ map of the ISNet's Dual variant.
    """

    convolution: Rule = field(default_factory=Epsilon)
    dense: Rule = field(default_factory=Epsilon)
    first: First | None = None
    bias_in_box: bool = True
    eps: float = 1e-2
    own_logits: bool = False

    def input_rule(self, first: First, box: Box) -> InputRule | None:
        """The rule of the first convolutions under this composite; ``None`` if they have none of their own.

        Raises:
            ValueError: If both the composite and the call set one.
        """
        if self.first is not None and first not in ("epsilon", self.first):
            raise ValueError(f"the composite has first={self.first!r}, the call first={first!r}: leave `first` out")
        kind = first if self.first is None else self.first
        return None if kind == "epsilon" else FirstLayer(kind, *box, eps=self.eps, bias=self.bias_in_box)

    def plan(self, way: Way) -> dict[Any, Place | None]:
        """The nodes that the composite takes over, see :func:`isnet.lrp.composites.layers.find_layers`."""
        return find_layers(way)

    def apply(self, node: Any, g: Tensor, plan: Mapping[Any, Place | None], settings: Settings) -> Grads:
        """Passes a folded batch norm by; at a layer, shares out ``z g`` by its rule."""
        result: list[Tensor | None] = [None] * len(node.next_functions)
        place = plan[node]
        if place is None:
            result[0] = g
        else:
            rule = self.convolution if node.name() == CONVOLUTION else self.dense
            layer = read(node, place, settings, g.dtype)
            own = self.own_logits and place.outermost
            result[place.kind.input_edge] = share(layer, rule, g, self.eps, own)
        return tuple(result)


ZPLUS = AlphaBeta(1.0, 0.0)
ZENNIT_EPS = 1e-6

COMPOSITES: dict[str, Composite | None] = {
    "epsilon": None,
    "zplus": Composite(ZPLUS, ZPLUS),
    "alpha2_beta1": Composite(AlphaBeta(2.0, 1.0), AlphaBeta(2.0, 1.0)),
    "gamma": Composite(Gamma(), Gamma()),
    "epsilon_plus": Composite(ZPLUS, Epsilon(), eps=ZENNIT_EPS),
    "epsilon_plus_flat": Composite(ZPLUS, Epsilon(), first="flat", eps=ZENNIT_EPS),
    "epsilon_gamma_box": Composite(Gamma(), Epsilon(), first="zb", bias_in_box=False, eps=ZENNIT_EPS),
}
"""By name. ``epsilon`` is the engine's own rule; the last three are zennit's presets (Anders et al. 2021,
arXiv 2106.13200)."""


def find_composite(composite: str | Composite | None, eps: float | None) -> tuple[Composite | None, float]:
    """The composite and the stabiliser that a call means.

    Raises:
        ValueError: If there is none of that name.
    """
    if isinstance(composite, str):
        if composite not in COMPOSITES:
            raise ValueError(f"there is no composite {composite!r}: it must be one of {', '.join(COMPOSITES)}")
        composite = COMPOSITES[composite]
    if composite is None:
        return None, Composite.eps if eps is None else eps
    return (composite, composite.eps) if eps is None else (replace(composite, eps=eps), eps)


__all__ = ["COMPOSITES", "AlphaBeta", "Composite", "Epsilon", "Gamma", "find_composite"]
