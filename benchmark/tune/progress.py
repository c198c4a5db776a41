"""What a person sees of many trials: one bar over all of them in a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.markup import escape
from rich.progress import TaskID

from benchmark.errors import BenchmarkError
from benchmark.training.progress import Display, clock


@dataclass
class Line:
    """One trial on the display.

    Attributes:
        name: Method and number.
        epochs: Of all its phases.
        cost: Expected time of an epoch, in any unit that all trials share.
        done: Epochs that are over; ``None`` before the first.
        found: Epochs that an interrupted run had done: they say nothing about the pace.
    """

    name: str
    epochs: int
    cost: float
    done: int | None = None
    found: int = 0


class Progress(Display):
    """Progress of all trials together, with the time left for them.

    Args:
        lines: One a trial; its place is its key.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__("trials", [], 0)
        self.lines = list(lines)
        self.start = time.perf_counter()
        self.task: TaskID | None = None
        if self.bars:
            self.task = self.bars.add_task(f"{len(self.lines)} trials", total=1.0, note="starting")

    def __enter__(self) -> Self:
        self.start = time.perf_counter()
        super().__enter__()
        return self

    def show(self, seed: int, done: int, epochs: int, row: dict[str, float], seconds: float) -> None:
        """One epoch of the trial with this key: its losses, and the time left for all trials at their common pace."""
        line = self.lines[seed]
        if line.done is None:
            line.found = done - 1
        line.done = done
        self.tell(line, f"loss {row['train_loss']:.4f}  validation {row['val_loss']:.4f}")

    def fail(self, key: int, error: BenchmarkError) -> None:
        """A trial that came to no end: nothing of it is left to wait for."""
        line = self.lines[key]
        line.done = line.epochs = line.done or 0
        self.tell(line, f"failed: {error}")

    def left(self, now: float) -> float:
        """Seconds until all trials are over; NaN before the first epoch."""
        over = sum(line.cost * ((line.done or 0) - line.found) for line in self.lines)
        rest = sum(line.cost * (line.epochs - (line.done or 0)) for line in self.lines)
        return (now - self.start) * rest / over if over else float("nan")

    def tell(self, line: Line, text: str) -> None:
        """Shows one line, with the state of all."""
        seconds = self.left(time.perf_counter())
        left = f"{clock(seconds)} left" if seconds == seconds else ""
        over = sum(one.done is not None and one.done >= one.epochs for one in self.lines)
        if self.bars and self.task is not None:
            whole = sum(one.cost * one.epochs for one in self.lines)
            part = sum(one.cost * (one.done or 0) for one in self.lines)
            note = escape(f"{over} done, {left}; {line.name}: {text}")
            self.bars.update(self.task, completed=part / whole if whole else 1.0, note=note)
        else:
            epoch = f"epoch {line.done or 0}/{line.epochs}"
            state = f"{over}/{len(self.lines)} trials, {left} for all".replace(",  for all", "")
            print(f"{time.strftime('%H:%M:%S')} {line.name} {epoch}  {text}  ({state})", flush=True)
