"""What a node of a Ray cluster is asked to do, and what it tells.

Ray sends such a function as it is, not by its name: a node finds the project only after it looked in the shared folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.launch.work import Outcome


def there(name: str) -> Callable[..., Any]:
    """A function of :mod:`benchmark.launch.remote` as a node calls it: from this folder, with plain values."""

    def call(root: str, marker: str, told: dict[str, Any] | None = None) -> Any:
        import sys
        from dataclasses import asdict
        from pathlib import Path

        if sys.path[0] != root:
            sys.path.insert(0, root)
        try:
            from benchmark.launch import remote
            from benchmark.launch.work import Work
        except ImportError as error:
            return f"a node cannot load the project from {root}: {error}"
        if name == "sees" or told is None:
            return remote.sees(root, marker)
        import ray

        work = Work(**{**told, "log": Path(told["log"])})
        gpu = ",".join(map(str, ray.get_gpu_ids()))
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        node = f"{address} {ray.get_runtime_context().get_node_id()[:6]}"
        return asdict(remote.run(work, root, marker, gpu, node))

    return call


def outcome_of(told: dict[str, Any] | str, seconds: float) -> Outcome:
    """What a node told: the outcome, or in words why it could not even load the project, which another node may."""
    return Outcome(1, seconds, "", lost=True, reason=told) if isinstance(told, str) else Outcome(**told)
