"""What a person sees of a training: bars in a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import queue
import sys
import time
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn


def clock(seconds: float) -> str:
    """Seconds as ``1:05`` or ``2:03:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display:
    """Progress of several seeds of one cell.

    Args:
        title: The cell's name.
        seeds: Seeds that are trained.
        epochs: Of each seed, as configured; a method of several phases may have more, which its first epoch tells.
    """

    def __init__(self, title: str, seeds: list[int], epochs: int) -> None:
        self.title = title
        self.first_seen: dict[int, tuple[float, int]] = {}
        self.bars: Progress | None = None
        self.tasks: dict[int, TaskID] = {}
        if sys.stdout.isatty():
            columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}")
            self.bars = Progress(*columns)
            for seed in seeds:
                self.tasks[seed] = self.bars.add_task(f"{title} seed {seed}", total=epochs, note="starting")

    def __enter__(self) -> Display:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars:
            self.bars.stop()

    def drain(self, messages: Any) -> None:
        """Shows every message that waits; returns when none does."""
        while True:
            try:
                self.show(*messages.get_nowait())
            except queue.Empty:
                return

    def show(self, seed: int, done: int, epochs: int, row: dict[str, float], seconds: float) -> None:
        """One epoch: losses on both sets, and the time left at this seed's pace."""
        left = (epochs - done) * seconds / done
        note = f"loss {row['train_loss']:.4f}  validation {row['val_loss']:.4f}  {clock(left)} left"
        if self.bars:
            self.bars.update(self.tasks[seed], completed=done, total=epochs, note=note)
        else:
            stamp = time.strftime("%H:%M:%S")
            print(f"{stamp} {self.title} seed {seed} epoch {done}/{epochs}  {note}", flush=True)
