"""A linear layer as the graph recorded it, with the batch norm behind it folded in: ``z = a w + b``."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.convolutions import Geometry
from isnet.lrp.graph import Way
from isnet.lrp.input_rules import HOOK, after_hooks
from isnet.lrp.kernels import channel_view, conv_input
from isnet.lrp.rules.base import BATCH_NORMS, LEAF, Settings
from isnet.lrp.rules.linear import geometry
from isnet.lrp.rules.norms import batch_norm_affine

aten = torch.ops.aten
CONVOLUTION = "ConvolutionBackward0"


@dataclass(frozen=True)
class Kind:
    """Where the node of one kind of linear layer keeps what."""

    input: str
    weight: str
    input_edge: int
    weight_edge: int
    bias_edge: int | None


KINDS = {
    CONVOLUTION: Kind("input", "weight", 0, 1, 2),
    "AddmmBackward0": Kind("mat1", "mat2", 1, 2, 0),
    "MmBackward0": Kind("self", "mat2", 0, 1, None),
    "LinearBackward0": Kind("input", "weight", 0, 1, 2),
}

KEEP_SIGN = frozenset(
    """
    MaxPool2DWithIndicesBackward0 AvgPool2DBackward0 AdaptiveAvgPool2DBackward0 AdaptiveMaxPool2DBackward0
    MeanBackward0 MeanBackward1 ViewBackward0 UnsafeViewBackward0 ReshapeAliasBackward0 CloneBackward0
    SqueezeBackward0 SqueezeBackward1 SqueezeBackward2 PermuteBackward0 TransposeBackward0 SelectBackward0
    NativeDropoutBackward0 ToCopyBackward0
    """.split()  # noqa: SIM905
) | {HOOK}


@dataclass(frozen=True)
class Place:
    """A layer that a rule takes over.

    Attributes:
        kind: Of its node.
        norm: The batch norm that alone it feeds, which is folded.
        relu: The ReLU that alone the layer (with its norm) feeds.
        nonnegative: Whether the graph shows that its input has no negative entries.
        outermost: Whether no other such layer lies between it and the logits.
    """

    kind: Kind
    norm: Any
    relu: Any
    nonnegative: bool
    outermost: bool


@dataclass(frozen=True)
class Layer:
    """``z = a w + b`` with its numbers.

    Attributes:
        a: The input, ``[B, I, ...]``, or ``[..., I]`` of a dense layer.
        weight: With the norm folded in, ``[O, I, ...]``, or ``[I, O]`` of a dense layer.
        bias: ``[O]``.
        z: The output, ``[B, O, ...]`` or ``[..., O]``; its positive part where a ReLU follows (``rectified``), because
            nothing arrives elsewhere.
        rectified: See ``z``.
        nonnegative: Whether ``a`` is known to be.
        shape: The geometry of a convolution; ``None`` for a dense layer.
    """

    a: Tensor
    weight: Tensor
    bias: Tensor | None
    z: Tensor
    rectified: bool
    nonnegative: bool
    shape: Geometry | None

    def forward(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """``a w + b``."""
        return forward(a, weight, bias, self.shape)

    def back(self, share: Tensor, weight: Tensor) -> Tensor:
        """``share w^T``."""
        return share @ weight.t() if self.shape is None else conv_input(share, weight, self.a.detach(), self.shape)


def forward(a: Tensor, weight: Tensor, bias: Tensor | None, shape: Geometry | None) -> Tensor:
    """``a w + b`` of a convolution, or of a dense layer, which has no ``shape``."""
    if shape is not None:
        result: Tensor = aten.convolution(a, weight, bias, *shape)
        return result
    return a @ weight if bias is None else a @ weight + bias


def find_layers(way: Way) -> dict[Any, Place | None]:
    """The linear layers with a weight of their own on the way, and the norms that are folded into them.

    Returns:
        A map from each layer's node to its place, and from each folded norm to ``None``.

    Raises:
        ValueError: If autograd did not keep what the rules need, because parameters are frozen.
    """
    users: dict[Any, list[Any]] = {}
    for node in way.order:
        for child, _ in node.next_functions:
            users.setdefault(child, []).append(node)
    found: dict[Any, Place | None] = {}
    for node in way.order:
        kind = KINDS.get(node.name())
        if kind is None or any(
            (child in way.members) != (edge == kind.input_edge) for edge, (child, _) in enumerate(node.next_functions)
        ):
            continue  # weights or biases that depend on the image: the rule of a product
        norm = following(node, users, BATCH_NORMS)
        other_axis = getattr(node, "_saved_transposed", False) or node.name() == "LinearBackward0"
        if other_axis or (node, 0) in way.goals:
            norm = None  # its channels may not be the weight's, or folding would hide the explained tensor
        relu = following(norm or node, users, ("ReluBackward0",))
        source = node.next_functions[kind.input_edge][0]
        refuse_frozen(node, kind, norm)
        found[node] = Place(kind, norm, relu, nonnegative(source), outermost=not found)
        if norm is not None:
            found[norm] = None
    return found


def following(node: Any, users: Mapping[Any, Sequence[Any]], names: Container[str]) -> Any:
    """The only user of ``node``, if it has one of these names."""
    after = after_hooks(node, users)
    return after[0] if len(after) == 1 and after[0].name() in names else None


def nonnegative(node: Any) -> bool:
    """Whether the graph shows that the output of ``node`` has no negative entries."""
    while node is not None and node.name() in KEEP_SIGN:
        node = node.next_functions[0][0]
    if node is None:
        return False
    return node.name() == "ReluBackward0" or (node.name() == "HardtanhBackward0" and float(node._saved_min_val) >= 0)


def refuse_frozen(node: Any, kind: Kind, norm: Any) -> None:
    """The graph does not hold the input of a frozen dense layer, nor any frozen bias.

    Raises:
        ValueError: If one is needed.
    """
    no_bias = node.name() == "MmBackward0" or (
        node.name() == CONVOLUTION and node._saved_bias_sym_sizes_opt in (None, [0], (0,))
    )
    edges = [] if no_bias else [node.next_functions[kind.bias_edge][0]]
    edges += [node.next_functions[kind.weight_edge][0]] if node.name() != CONVOLUTION else []
    edges += [norm.next_functions[2][0]] if norm is not None and norm._saved_weight is not None else []
    if any(edge is None for edge in edges):
        raise ValueError(
            f"a parameter of {node.name()!r} or of its batch norm is frozen, so that the forward did not keep what a "
            "composite needs: call model.requires_grad_(True) before the forward"
        )


def parameter(edge: Any) -> Tensor | None:
    """The parameter behind an edge; a copy in lower precision is followed to its origin.

    Raises:
        ValueError: If it is a computed tensor.
    """
    while edge is not None and edge.name() == "ToCopyBackward0":
        edge = edge.next_functions[0][0]
    if edge is not None and edge.name() != LEAF:
        raise ValueError(f"a bias computed by {edge.name()!r} has no rule in a composite: use composite='epsilon'")
    variable: Tensor | None = None if edge is None else edge.variable
    return variable


def read(node: Any, place: Place, settings: Settings, dtype: torch.dtype) -> Layer:
    """The numbers of a layer, in one precision, attached to the graph of the forward."""
    kind, norm = place.kind, place.norm
    a = getattr(node, f"_saved_{kind.input}").to(dtype)
    weight = getattr(node, f"_saved_{kind.weight}").to(dtype)
    bias = None if kind.bias_edge is None else parameter(node.next_functions[kind.bias_edge][0])
    shape = geometry(node) if node.name() == CONVOLUTION else None
    weight = weight.t() if node.name() == "LinearBackward0" else weight
    rectified = place.relu is not None
    z = place.relu._saved_result.to(dtype) if rectified else None
    if norm is not None:
        scale, mean = batch_norm_affine(norm, settings, dtype)
        weight = weight * (scale if shape is None else scale.view(-1, *(1,) * (weight.dim() - 1)))
        shift = parameter(norm.next_functions[2][0])
        shift = (0 if shift is None else shift) - mean * scale
        if z is None:
            before = norm._saved_input.to(dtype)
            z = before * channel_view(scale, before) + channel_view(shift, before)
        bias = shift if bias is None else shift + bias * scale
    bias = None if bias is None else bias.to(dtype)
    z = forward(a, weight, bias, shape) if z is None else z
    return Layer(a, weight, bias, z, rectified, place.nonnegative, shape)
