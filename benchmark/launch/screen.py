"""What a person sees of a launch: a table in a terminal, one line an event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmark.training.progress import clock

REFRESH_S, LINE_S = 0.5, 60.0


@dataclass(frozen=True)
class Row:
    """A command that is out; ``left`` is ``None`` where nothing tells how long it takes."""

    cell: str
    step: str
    where: str
    progress: str
    elapsed: float
    left: float | None


@dataclass(frozen=True)
class State:
    """Where a launch stands; ``left`` is of the whole."""

    rows: Sequence[Row]
    failed: Mapping[str, str]
    done: int
    waiting: int
    left: float | None

    def __str__(self) -> str:
        counts = f"{self.done} done, {len(self.rows)} running, {self.waiting} waiting, {len(self.failed)} failed"
        return f"{counts}; about {clock(self.left)} left" if self.left is not None else counts


class Screen:
    """Shows a launch on a console; a terminal gets the table, anything else lines.

    Args:
        console: Where; by default stdout.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        self.shown = 0.0

    def __enter__(self) -> Screen:
        if self.live:
            self.live.start()
        self.shown = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        """One event."""
        self.console.print(f"{time.strftime('%H:%M:%S')} {text}", markup=False)

    def show(self, state: State) -> None:
        """Shows the state, if what is shown is old enough."""
        if time.monotonic() - self.shown < (REFRESH_S if self.live else LINE_S):
            return
        self.shown = time.monotonic()
        if self.live:
            self.live.update(table(state), refresh=True)
        else:
            self.say(str(state))


def table(state: State) -> RenderableType:
    """All commands that are out, and every cell that failed with its reason."""
    running = Table("cell", "step", "where", "epochs", "elapsed", "left")
    for row in state.rows:
        left = "" if row.left is None else clock(row.left)
        running.add_row(row.cell, row.step, row.where or "waits for a machine", row.progress, clock(row.elapsed), left)
    failed = Table("failed", "reason")
    for cell, reason in state.failed.items():
        failed.add_row(cell, escape(reason))
    return Group(*([running] if state.rows else []), *([failed] if state.failed else []), Text(str(state)))
