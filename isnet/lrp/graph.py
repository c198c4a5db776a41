"""The recorded autograd graph: which nodes lie between the logits and the explained tensors, in walking order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.rules.base import LINEAR, WEIGHED

PASSES = LINEAR | WEIGHED | {"CatBackward0", "DivBackward0"}
LEAF = "torch::autograd::AccumulateGrad"
Edge = tuple[Any, int]


@dataclass(frozen=True)
class Way:
    """The part of the graph that is walked.

    Attributes:
        order: Its nodes, each before the nodes that it feeds.
        members: The same nodes, for look-ups.
        goals: Explained tensors, by the edge at which their gradient arrives.
        x_node: The node of the explained input, where the walk ends.
    """

    order: list[Any]
    members: frozenset[Any]
    goals: Mapping[Edge, int]
    x_node: Any


def edge_of(tensor: Tensor) -> Edge:
    """The graph edge at which the gradient of ``tensor`` arrives."""
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def inputs_of(node: Any) -> list[Any]:
    """The nodes whose tensors carry the signal of ``node``: a divisor does not."""
    edges = node.next_functions[:1] if node.name() == "DivBackward0" else node.next_functions
    return [child for child, _ in edges if child is not None]


def find_way(root: Any, x: Edge, hidden: Mapping[Edge, int], gates: frozenset[str]) -> Way:
    """All nodes on a path from ``root`` to an explained tensor, depth-first and reversed.

    Args:
        root: The node of the logits.
        x: The edge of the input, where paths end.
        hidden: Edges of hidden tensors that are explained too, and go on to the input.
        gates: Names of nodes that pass nothing on, where they are factors.
    """
    targets = {node for node, _ in hidden} | {x[0]}
    users: dict[Any, list[Any]] = defaultdict(list)
    finished: list[Any] = []
    seen: set[Any] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            finished.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for child in inputs_of(node) if node is not x[0] else ():
                users[child].append(node)
                stack.append((child, False))
    leads: set[Any] = set()
    for node in finished:
        cut = node.name() in gates and is_factor(node, users)
        if node in targets or (not cut and any(child in leads for child in inputs_of(node))):
            leads.add(node)
    order = [node for node in reversed(finished) if node in leads]
    return Way(order, frozenset(leads), {**hidden, x: 0}, x[0])


def is_factor(gate: Any, users: Mapping[Any, list[Any]]) -> bool:
    """Whether the value of a gate, perhaps rescaled or reshaped, is only ever a factor of another signal."""
    waiting, seen = list(users[gate]), set()
    while waiting:
        user = waiting.pop()
        if user in seen or weighs_a_signal(user):
            continue
        seen.add(user)
        if user.name() not in PASSES or not users[user]:
            return False
        waiting.extend(users[user])
    return True


def weighs_a_signal(node: Any) -> bool:
    """Whether ``node`` multiplies two computed tensors, not one with a constant or a parameter."""
    computed = [child for child, _ in node.next_functions if child is not None and child.name() != LEAF]
    return node.name() in WEIGHED and len(computed) > 1


def shape_at(node: Any, index: int) -> torch.Size | None:
    """The shape of the tensor whose gradient enters ``node`` at ``index``."""
    if node is None:
        return None
    if node.name() == LEAF:
        shape: torch.Size = node.variable.shape
        return shape
    return torch.Size(node._input_metadata[index].shape)
