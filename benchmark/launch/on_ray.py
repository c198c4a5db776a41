"""The engine of a Ray cluster: a Ray task a cell, on the node that has the cores and the GPU.

Ray places commands, tells when a node goes, and ends what runs when the launch does; data goes by the shared folder.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.launch.on_node import outcome_of, there
from benchmark.launch.remote import leave_marker, place_of
from benchmark.launch.work import Outcome, Work
from benchmark.paths import RUNS

STORE_BYTES = 80 * 2**20
"""Ray's object store: nothing but the words of a command goes through it."""
LOOK_S = 2.0
"""How often the list of nodes is asked for."""
PATIENCE_S = 15.0


@dataclass
class Sent:
    """A command that Ray has."""

    work: Work
    reference: Any
    since: float


class OnRay:
    """Tasks of a Ray cluster.

    Args:
        address: ``host:port`` or ``auto``; ``None``: Ray starts on this machine, for this launch, on loopback.
        jobs: Cells at once at most; ``None``: as many as the nodes have room for.
        cpus: Cores of a cell.
        gpus: GPUs of a cell.

    Raises:
        BenchmarkError: If Ray is not installed or not there, a node does not see this folder, or none has what a cell
            asks for.
    """

    name, look_s = "ray", 0.1

    def __init__(self, address: str | None, jobs: int | None, cpus: int, gpus: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the command's own slot is set in any case
        try:
            import ray
        except ImportError as error:
            do = 'Install it on every node: pip install "shortcut-bench[ray]".'
            raise BenchmarkError("Ray is not installed", do=do) from error
        self.ray, self.jobs, self.cpus, self.gpus = ray, jobs, cpus, gpus
        self.root, self.looked, self.nodes = str(Path.cwd()), 0.0, list[dict[str, Any]]()
        own = {"object_store_memory": STORE_BYTES, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        asked: dict[str, Any] = {"address": address} if address else own
        try:
            if address and address != "auto":
                answers(address)  # Ray itself would ask for minutes
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **asked)
        except (OSError, RuntimeError, ValueError) as error:
            do = "Start it with `ray start --head` there, and `ray start --address=…` on the other nodes."
            raise BenchmarkError("no Ray cluster answers", got=address, expected="host:port, or auto", do=do) from error
        try:
            self.marker = leave_marker(RUNS / ".work" / "launch")
            if not self.room():
                raise BenchmarkError(f"no node has {needs(cpus, gpus)}", got=self.present(), do="Ask for less.")
            self._check_folder()
        except BaseException:
            ray.shutdown()
            raise
        self.task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(there("run"))

    # --- nodes ---------------------------------------------------------------------------------------

    def alive(self) -> list[dict[str, Any]]:
        """Nodes that are there, asked anew every few seconds."""
        if time.monotonic() - self.looked > LOOK_S:
            self.nodes = [node for node in self.ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
            self.looked = time.monotonic()
        return self.nodes

    def room(self) -> int:
        """How many cells fit on all nodes."""
        return sum(fits(node["Resources"], self.cpus, self.gpus) for node in self.alive())

    def present(self) -> str:
        """What the nodes have."""
        each = [(node["NodeManagerAddress"], node["Resources"]) for node in self.alive()]
        return "; ".join(f"{ip}: {int(r.get('CPU', 0))} cores, {int(r.get('GPU', 0))} GPUs" for ip, r in each)

    def _check_folder(self) -> None:
        """Asks every node whether it sees this folder.

        Raises:
            BenchmarkError: Naming the first that does not.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self.ray.remote(num_cpus=0, max_retries=0)(there("sees"))
        on = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in self.alive()]
        for why in self.ray.get([look.options(scheduling_strategy=s).remote(self.root, self.marker) for s in on]):
            if why:
                raise BenchmarkError(why, do="Put the project on a folder that all nodes share, under one path.")

    # --- the contract --------------------------------------------------------------------------------

    @property
    def slots(self) -> int:
        return self.room() if self.jobs is None else min(self.jobs, self.room())

    def submit(self, works: Sequence[Work]) -> list[Sent]:
        sent = []
        for work in works:
            place_of(work).unlink(missing_ok=True)
            told = {**asdict(work), "log": str(work.log)}
            sent.append(Sent(work, self.task.remote(self.root, self.marker, told), time.monotonic()))
        return sent

    def poll(self, handle: Sent) -> Outcome | None:
        seconds, errors = time.monotonic() - handle.since, self.ray.exceptions
        ended, _ = self.ray.wait([handle.reference], timeout=0)
        if not ended:
            if self.room() or self.where(handle):
                return None
            self.cancel([handle])
            return Outcome(1, seconds, "", reason=f"no node that is left has {needs(self.cpus, self.gpus)}")
        try:
            return outcome_of(self.ray.get(handle.reference), seconds)
        except errors.LocalRayletDiedError as error:  # nothing can be asked of the cluster any more
            raise BenchmarkError("Ray's process on this machine has ended", do="Start it and launch again.") from error
        except errors.RayTaskError as error:
            return Outcome(1, seconds, self.where(handle), reason=str(error).strip().splitlines()[-1])
        except errors.RayError as error:  # the node or its process went
            return Outcome(1, seconds, self.where(handle), lost=True, reason=f"{type(error).__name__} from Ray")

    def where(self, handle: Sent) -> str:
        place = place_of(handle.work)
        return place.read_text(encoding="utf-8") if place.is_file() else ""

    def cancel(self, handles: Sequence[Sent]) -> None:
        waiting = [handle.reference for handle in handles]
        for force in (False, True):
            for reference in waiting:
                self.ray.cancel(reference, force=force)
            _, waiting = self.ray.wait(waiting, num_returns=len(waiting), timeout=PATIENCE_S) if waiting else ([], [])

    def close(self) -> None:
        self.ray.shutdown()


def answers(address: str) -> None:
    """Whether anything listens there.

    Raises:
        OSError: If nothing does, within seconds.
        ValueError: If it is no ``host:port``.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S).close()


def fits(resources: dict[str, float], cpus: int, gpus: int) -> int:
    """How many cells a node has room for."""
    by_cores = int(resources.get("CPU", 0)) // cpus
    return min(by_cores, int(resources.get("GPU", 0)) // gpus) if gpus else by_cores


def needs(cpus: int, gpus: int) -> str:
    """What a cell asks for."""
    return f"{cpus} cores and {gpus} GPU" if gpus else f"{cpus} cores"
