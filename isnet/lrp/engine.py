"""LRP as a re-interpretation of the autograd graph that the ordinary forward recorded.

The walk starts at the logits' ``grad_fn`` and goes from node to node; :mod:`isnet.lrp.rules` says what a
non-linear or normalising node passes on, linear nodes run their own backward. Nothing of the model is hooked,
swapped or run twice, and the classification gradient stays what it was. With ``create_graph`` every step is
itself recorded, so a loss on the heatmap can be trained through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.input_rules import InputRule
from isnet.lrp.rules import LINEAR, RULES, Grads, Settings, Step

LEAF = "torch::autograd::AccumulateGrad"
Edge = tuple[Any, int]


class UnsupportedNode(NotImplementedError):
    """A node of the graph has no rule: an error, because a guess would be a wrong heatmap."""

    def __init__(self, name: str, reason: str = "it has no relevance rule") -> None:
        super().__init__(
            f"operation {name!r} lies between the logits and the explained input, and {reason}. Explain a network "
            "of convolutions, linear layers, batch norm, ReLU, pooling, sums and concatenations, or register a "
            "rule with isnet.lrp.rules.rule."
        )
        self.name = name


def edge_of(tensor: Tensor) -> Edge:
    """The graph edge at which the gradient of ``tensor`` arrives."""
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def towards(root: Any, goals: frozenset[Any]) -> list[Any]:
    """All nodes on a path from ``root`` to a goal, each before the nodes that it feeds (depth-first, reversed)."""
    leads: dict[Any, bool] = {}
    order: list[Any] = []
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            leads[node] = node in goals or any(leads.get(child, False) for child, _ in node.next_functions)
            if leads[node]:
                order.append(node)
        elif node not in leads:
            leads[node] = False
            stack.append((node, True))
            if node not in goals:
                stack.extend((child, False) for child, _ in node.next_functions if child is not None)
    return order[::-1]


def walk(
    logits: Tensor,
    g: Tensor,
    x: Tensor,
    settings: Settings,
    input_rule: InputRule | None,
    create_graph: bool,
) -> Tensor:
    """Carries ``g`` from ``logits`` to ``x``.

    Args:
        logits: ``[B, K]``, with the graph of the forward.
        g: ``[B, K]`` what starts at the logits.
        x: ``[B, ...]`` the explained tensor.
        settings: Of the rules.
        input_rule: Takes over at the first convolution; ``None`` for the epsilon rule there too.
        create_graph: Whether the result can be differentiated.

    Returns:
        The relevance of ``x``, in its shape.

    Raises:
        UnsupportedNode: If a node on the way has no rule.
        ValueError: If no path leads from the logits to ``x``.
    """
    root, root_output = edge_of(logits)
    goal, goal_output = edge_of(x)
    order = towards(root, frozenset([goal]))
    if not order:
        raise ValueError(
            "the logits do not depend on x: pass the very tensor that went into the model, with requires_grad"
        )
    on_path = frozenset(order)
    first = input_rule.plan(order, goal) if input_rule else {}
    arrived: dict[Any, dict[int, Tensor]] = defaultdict(dict)
    arrived[root][root_output] = g
    special: Tensor | None = None  # relevance, not g: what the input rule returns
    with torch.set_grad_enabled(create_graph):
        for node in order:
            grads = arrived.pop(node, None)
            if not grads:
                continue
            if node is goal and goal_output in grads:
                return combine(x, grads[goal_output], special)
            if node in first and input_rule is not None:
                result, found = input_rule.apply(node, grads[0], first, settings)
                if found is not None:
                    special = found if special is None else special + found
            else:
                result = apply(node, grads, on_path, settings)
            send(node, result, on_path, arrived)
    if special is None:
        raise ValueError("no relevance arrived at x: every path from the logits is cut")
    return special


def combine(x: Tensor, g: Tensor, special: Tensor | None) -> Tensor:
    """``x * g`` of the ordinary paths plus what the input rule found on its own."""
    return x * g if special is None else x * g + special


def apply(node: Any, grads: Mapping[int, Tensor], on_path: frozenset[Any], settings: Settings) -> Grads:
    """What one node passes on to each of its inputs."""
    name = node.name()
    if name in LINEAR:
        outputs = len(node._input_metadata)
        result = node(*(grads.get(index) for index in range(outputs)))
        return result if isinstance(result, tuple) else (result,)
    if name not in RULES:
        raise UnsupportedNode(name)
    children = node.next_functions
    step = Step(
        node=node,
        g=grads[0],
        reaches=tuple(child in on_path for child, _ in children),
        sizes=tuple(shape_at(child, index) for child, index in children),
    )
    try:
        return RULES[name](step, settings)
    except ValueError as error:
        raise UnsupportedNode(name, str(error)) from error


def shape_at(node: Any, index: int) -> torch.Size | None:
    """The shape of the tensor whose gradient enters ``node`` at ``index``."""
    if node is None:
        return None
    if node.name() == LEAF:
        shape: torch.Size = node.variable.shape
        return shape
    return torch.Size(node._input_metadata[index].shape)


def send(node: Any, result: Grads, on_path: frozenset[Any], arrived: dict[Any, dict[int, Tensor]]) -> None:
    """Adds each result to what waits at the node's inputs, in the shape that is expected there."""
    for (child, index), g in zip(node.next_functions, result, strict=False):
        if g is None or child not in on_path:
            continue
        shape = shape_at(child, index)
        g = g if shape is None or g.shape == shape else g.sum_to_size(shape)
        waiting = arrived[child]
        waiting[index] = waiting[index] + g if index in waiting else g
