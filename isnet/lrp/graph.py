"""The recorded autograd graph: which nodes lie between the logits and the explained tensors, in walking order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isnet.lrp.rules.base import BATCH_NORMS, EITHER, GATES, LINEAR, WEIGHED

PASSES = LINEAR | WEIGHED | {"CatBackward0", "DivBackward0"}
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
    read: dict[Any, list[Any]] = {}
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            finished.append(node)
        elif node not in read:
            read[node] = inputs_of(node) if node is not x[0] else []
            stack.append((node, True))
            for child in read[node]:
                users[child].append(node)
                stack.append((child, False))
    perhaps_cut = {node for node in finished if node.name() in gates}
    strengths = graded(finished, targets, gates) if perhaps_cut else {}
    leads: set[Any] = set()
    for node in finished:
        cut = node in perhaps_cut and is_factor(node, users, strengths)
        if node in targets or (not cut and not leads.isdisjoint(read[node])):
            leads.add(node)
    order = [node for node in reversed(finished) if node in leads]
    return Way(order, frozenset(leads), {**hidden, x: 0}, x[0])


def graded(finished: Sequence[Any], targets: AbstractSet[Any], gates: frozenset[str]) -> dict[Any, int]:
    """How strong each node's value is as a factor: of a product's factors the weaker weighs, the strongest is weighed.

    0 does not depend on an explained tensor, 1 is a gate, 2 may be either (tanh, a constant softmax), 3 is a signal.

    Args:
        finished: Nodes, each after those that it reads.
        targets: Nodes of the explained tensors.
        gates: Names of gates under the present settings.
    """
    strengths: dict[Any, int] = {}
    for node in finished:
        strongest = max((strengths.get(child, 0) for child in inputs_of(node)), default=0)
        if node in targets:
            strengths[node] = 3
        elif strongest == 0 or node.name() in PASSES:
            strengths[node] = strongest
        else:
            strengths[node] = 1 if node.name() in GATES - EITHER else 2 if node.name() in gates else 3
    return strengths


def is_factor(gate: Any, users: Mapping[Any, list[Any]], strengths: Mapping[Any, int]) -> bool:
    """Whether the value of a gate, perhaps rescaled or reshaped, is only ever a factor of something stronger."""
    waiting = [(gate, user) for user in users[gate]]
    if not waiting:
        return False
    seen: set[tuple[Any, Any]] = set()
    while waiting:
        child, user = waiting.pop()
        if (child, user) in seen:
            continue
        seen.add((child, user))
        others = [strengths.get(other, 0) for other in inputs_of(user) if other is not child]
        if user.name() in WEIGHED and max(others, default=0) > strengths[gate]:
            continue
        if user.name() not in PASSES or not users[user]:
            return False
        waiting.extend((user, above) for above in users[user])
    return True


def normed_relus(way: Way) -> dict[Any, Any]:
    """Each batch norm whose result nobody explains and only a ReLU reads, to that ReLU: the walk takes both at once."""
    users: dict[Any, list[Any]] = defaultdict(list)
    for node in way.order:
        for child, _ in node.next_functions:
            users[child].append(node)
    return {
        node: users[node][0]
        for node in way.order
        if node.name() in BATCH_NORMS
        and (node, 0) not in way.goals
        and [user.name() for user in users[node]] == ["ReluBackward0"]
    }
