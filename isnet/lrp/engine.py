"""LRP as a re-interpretation of the autograd graph that the ordinary forward recorded.

The walk starts at the logits' ``grad_fn`` and goes from node to node; :mod:`isnet.lrp.rules` says what a
non-linear or normalising node passes on, linear nodes run their own backward. Nothing of the model is hooked,
swapped or run twice, and the classification gradient stays what it was. With ``create_graph`` every step is
itself recorded, so a loss on the heatmap can be trained through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.composites import Composite
from isnet.lrp.graph import Way, edge_of, find_way, normed_relus
from isnet.lrp.input_rules import HOOK, InputRule
from isnet.lrp.rules import LINEAR, RULES, Settings, Step
from isnet.lrp.rules.base import LEAF, Grads, gates, shape_at

Observer = Callable[[Any, Mapping[int, Tensor], Grads], None]
"""Told of every node: what arrived at its outputs, and what it passed on."""


class UnsupportedNode(NotImplementedError):
    """A node of the graph has no rule: an error, because a guess would be a wrong heatmap."""

    def __init__(self, node: Any, reason: str = "it has no relevance rule", module: str | None = None) -> None:
        place = f" (in module {module!r})" if module else ""
        super().__init__(
            f"operation {node.name()!r}{place} lies between the logits and the explained input, and {reason}. "
            "`lrp.check(model, x)` lists all such operations with their modules; write them otherwise, or "
            "register a rule with isnet.lrp.rules.rule."
        )
        self.node, self.reason, self.module = node, reason, module


def plan(logits: Tensor, x: Tensor, at: Sequence[Tensor], settings: Settings) -> Way:
    """The part of the graph between the logits and the explained tensors.

    Raises:
        ValueError: If one of the tensors is not on a path from the logits.
    """
    hidden = {edge_of(tensor): number for number, tensor in enumerate(at, start=1)}
    way = find_way(edge_of(logits)[0], edge_of(x), hidden, gates(settings))
    if way.x_node not in way.members:
        raise ValueError(
            "the logits do not depend on x: pass the very tensor that went into the model, with requires_grad, and "
            "a model whose signal does not only pass through gates"
        )
    for (node, _), number in hidden.items():
        if node not in way.members:
            raise ValueError(f"hidden tensor number {number - 1} of `at` is not on a path from the logits")
    return way


def walk(
    logits: Tensor,
    g: Tensor,
    explained: Sequence[Tensor],
    way: Way,
    settings: Settings,
    input_rule: InputRule | None,
    create_graph: bool,
    observer: Observer | None = None,
    composite: Composite | None = None,
) -> tuple[Tensor, ...]:
    """Carries ``g`` from ``logits`` to the explained tensors.

    Args:
        logits: ``[B, C]``, with the graph of the forward.
        g: ``[B, C]`` what starts at the logits; its precision is that of the pass.
        explained: The input ``x``, then the hidden tensors.
        way: Of :func:`plan`.
        settings: Of the rules.
        input_rule: Takes over at the first convolution; ``None`` for the epsilon rule there too.
        create_graph: Whether the result can be differentiated.
        observer: Called after every node.
        composite: Takes over at the linear layers; ``None`` for the epsilon rule.

    Returns:
        The relevance of each explained tensor, in its shape.

    Raises:
        UnsupportedNode: If a node on the way has no rule.
    """
    first = input_rule.plan(way.order, way.x_node) if input_rule else {}
    layers = composite.plan(way) if composite else {}
    # Not so where an observer is to see what passes between the two, and where either has another rule.
    alone = observer is not None or settings.eps == 0 or settings.bn == "native"
    pairs = {} if alone else normed_relus(way)
    relus = {relu for norm, relu in pairs.items() if norm not in first}
    arrived: dict[Any, dict[int, Tensor]] = defaultdict(dict)
    root, output = edge_of(logits)
    arrived[root][output] = g
    found: list[Tensor | None] = [None] * len(explained)
    special: Tensor | None = None  # relevance, not g: what the input rule returns
    with torch.set_grad_enabled(create_graph), torch.autocast(g.device.type, enabled=False):
        for node in way.order:
            grads = arrived.pop(node, None)
            if not grads:
                continue
            for index, value in grads.items():
                number = way.goals.get((node, index))
                if number is not None:
                    found[number] = explained[number].to(value.dtype) * value
            if node is way.x_node:
                continue
            if node in first and input_rule is not None:
                result, extra = input_rule.apply(node, grads[0], first, settings)
                if extra is not None:
                    special = extra if special is None else special + extra
            elif node in layers and composite is not None:
                result = composite.apply(node, grads[0], layers, settings)
            elif node in relus:
                result = (grads[0],)
            else:
                result = apply(node, grads, way.members, settings, pairs.get(node))
            if observer is not None:
                observer(node, grads, result)
            send(node, result, way.members, arrived, g.dtype)
        if special is not None:
            found[0] = special if found[0] is None else found[0] + special
        return tuple(
            torch.zeros_like(tensor, dtype=g.dtype) if value is None else value
            for tensor, value in zip(explained, found, strict=True)
        )


def apply(
    node: Any, grads: Mapping[int, Tensor], members: frozenset[Any], settings: Settings, relu: Any = None
) -> Grads:
    """What one node passes on to each of its inputs; a batch norm perhaps together with its ReLU."""
    name = node.name()
    if name in RULES:
        if 0 not in grads:
            raise UnsupportedNode(node, "its rule knows the first output only")
        step = Step(node, grads[0], tuple(child in members for child, _ in node.next_functions), relu)
        try:
            return RULES[name](step, settings)
        except ValueError as error:
            raise UnsupportedNode(node, str(error)) from error
    if name not in LINEAR:
        raise UnsupportedNode(node)
    if name == HOOK:  # a Python node, which cannot be called: the identity
        return tuple(grads.get(index) for index in range(len(node.next_functions)))
    kept = getattr(node, "_saved_self", None)  # a kernel that reads it wants one precision; all others take any
    dtype = kept.dtype if isinstance(kept, Tensor) and kept.is_floating_point() else grads[min(grads)].dtype
    native = node(*(grads[index].to(dtype) if index in grads else None for index in range(len(node._input_metadata))))
    return native if isinstance(native, tuple) else (native,)


def send(
    node: Any, result: Grads, members: frozenset[Any], arrived: dict[Any, dict[int, Tensor]], dtype: torch.dtype
) -> None:
    """Adds each result to what waits at the node's inputs, in the shape that is expected there."""
    for (child, index), value in zip(node.next_functions, result, strict=False):
        if value is None or child not in members:
            continue
        shape = shape_at(child, index)
        value = value.to(dtype) if shape is None or value.shape == shape else value.to(dtype).sum_to_size(shape)
        waiting = arrived[child]
        waiting[index] = waiting[index] + value if index in waiting else value


__all__ = ["LEAF", "Observer", "UnsupportedNode", "plan", "walk"]
