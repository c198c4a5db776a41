"""Which module a node of the graph came from: for error messages, at the price of a second forward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Names:
    """Module names of nodes.

    Attributes:
        ends: The node at which a module's output leaves it -> the innermost such module's name.
    """

    def __init__(self) -> None:
        self.ends: dict[Any, str] = {}

    def of(self, node: Any, logits: Tensor) -> str | None:
        """The module whose output is the next one after ``node`` towards the logits; ``None`` if there is none."""
        users = defaultdict(list)
        waiting, seen = [logits.grad_fn], set()
        while waiting:
            user = waiting.pop()
            if user is None or user in seen:
                continue
            seen.add(user)
            for child, _ in user.next_functions:
                users[child].append(user)
                waiting.append(child)
        layer, done = [node], {node}
        while layer:
            named = [self.ends[each] for each in layer if each in self.ends]
            if named:
                return named[0]
            layer = [user for each in layer for user in users[each] if user not in done]
            done.update(layer)
        return None


@contextmanager
def named_nodes(model: nn.Module) -> Iterator[Names]:
    """Notes, during the forward that runs inside, at which node each module ends."""
    names = Names()

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            node = getattr(output, "grad_fn", None)
            if node is not None:
                names.ends.setdefault(node, name)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in model.named_modules() if name]
    try:
        yield names
    finally:
        for handle in handles:
            handle.remove()
