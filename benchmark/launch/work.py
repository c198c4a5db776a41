"""What an engine is asked to run, what it tells of it, and the contract that every engine fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Work:
    """One command of one cell; every path counts from the project's root.

    Attributes:
        name: The stage, such as ``train@mnist5k-corner-erm``.
        command: The program and its arguments. ``python`` is the interpreter of the process that runs it.
        log: Where both streams of the command go.
        cpus: Cores that the command may use, 1 or more.
        gpus: GPUs that it needs, 0 or 1.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    cpus: int = 1
    gpus: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: Its exit code; negative: the signal that killed it.
        seconds: How long it ran.
        where: The machine and slot.
        lost: The machine went, not the command: it can run again elsewhere.
        reason: What the engine knows of a failure; empty where the log says it.
    """

    code: int
    seconds: float
    where: str
    lost: bool = False
    reason: str = ""


class Engine(Protocol):
    """Where commands run.

    Making one raises ``BenchmarkError`` where nothing has what a cell asks for.
    """

    name: str
    look_s: float
    """Seconds between two looks at what runs."""

    @property
    def slots(self) -> int:
        """How many commands may be out at once; may change while machines come and go."""

    def submit(self, works: Sequence[Work]) -> list[Any]:
        """Starts or queues commands; returns for each what the other methods take."""

    def poll(self, handle: Any) -> Outcome | None:
        """The outcome, once; ``None`` while it runs or waits."""

    def where(self, handle: Any) -> str:
        """The machine and slot, as far as they are known; empty while it waits for one."""

    def cancel(self, handles: Sequence[Any]) -> None:
        """Ends commands with all their processes; returns when none of them runs."""

    def close(self) -> None:
        """Lets the engine go."""
