"""The process group of a training: who is in it, how it finds itself, what it computes with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from lightning_fabric import Fabric

from benchmark.api import Method
from benchmark.config import Training
from benchmark.distributed.ranks import Ranks
from benchmark.errors import BenchmarkError
from benchmark.training.device import fabric_of

PATIENCE = timedelta(hours=1)
"""How long a rank waits for another that is alive: the first one predicts and writes alone."""


@dataclass(frozen=True)
class Group:
    """The processes of a training, over one machine or several.

    Attributes:
        devices: Processes on each machine, one a device.
        nodes: Machines.
        node: This machine's number.
        meeting: Where they meet: ``file://…`` on one machine, ``tcp://address:port`` of the first of several.
        accelerator: ``cpu`` or ``cuda``.
    """

    devices: int
    nodes: int = 1
    node: int = 0
    meeting: str = ""
    accelerator: str = "cpu"

    @property
    def size(self) -> int:
        return self.devices * self.nodes

    def check(self) -> None:
        """Refuses what cannot start.

        Raises:
            BenchmarkError: Naming the option.
        """
        if self.devices < 1 or self.nodes < 1 or self.size < 2:
            raise BenchmarkError("--devices times --num-nodes", got=self.size, expected="at least 2 processes")
        if not 0 <= self.node < self.nodes:
            raise BenchmarkError("--node-rank", got=self.node, expected=f"0 to {self.nodes - 1}")
        if self.accelerator == "cuda" and torch.cuda.device_count() < self.devices:
            raise BenchmarkError(
                "--devices", got=self.devices, expected=f"at most {torch.cuda.device_count()}: the GPUs of this machine"
            )

    @contextmanager
    def joined(self, local: int) -> Iterator[Ranks]:
        """Inside, this process is rank ``local`` of its machine; it leaves the group at the end."""
        backend = "nccl" if self.accelerator == "cuda" else "gloo"
        if self.nodes == 1:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        if self.accelerator == "cuda":
            torch.cuda.set_device(local)
        rank = self.node * self.devices + local
        dist.init_process_group(backend, init_method=self.meeting, rank=rank, world_size=self.size, timeout=PATIENCE)
        try:
            yield Ranks.present()
        finally:
            dist.destroy_process_group()

    def fabric(self, local: int, settings: Training, method: Method) -> Fabric:
        """Device and precision of one rank: the training loop sums the gradients, so Fabric sees one device."""
        return fabric_of(settings, method, self.accelerator, [local] if self.accelerator == "cuda" else 1)


def accelerator_of(asked: str) -> str:
    """``cpu`` or ``cuda``: for ``auto`` the GPUs where there are any."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if asked == "auto" else asked
