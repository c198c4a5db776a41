"""What a person sees of downloads: bars in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

EVERY = 10.0
"""Seconds between two lines of one file."""


@dataclass
class Course:
    """How one file gets on."""

    first: int
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def speed(self, done: int) -> float:
        """Bytes a second since the start of this fetch."""
        return (done - self.first) / max(time.monotonic() - self.began, 1e-3)


class Progress:
    """Progress of several files at once; every method may be called by any thread.

    Args:
        title: The data set's name.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.lock = threading.Lock()
        self.courses: dict[str, Course] = {}
        self.tasks: dict[str, TaskID] = {}
        self.bars: Bars | None = None
        if sys.stdout.isatty():
            self.bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )

    def __enter__(self) -> Progress:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars:
            self.bars.stop()

    def at(self, name: str, done: int, total: int | None) -> None:
        """So many bytes of a file are here."""
        with self.lock:
            course = self.courses.get(name)
            if course is None or done < course.first:
                course = self.courses[name] = Course(done)
            if self.bars:
                if name not in self.tasks:
                    self.tasks[name] = self.bars.add_task(f"{self.title} {name}")
                self.bars.update(self.tasks[name], completed=done, total=total)
            elif time.monotonic() - course.told >= EVERY:
                course.told = time.monotonic()
                self._print(line(name, done, total, course.speed(done)))

    def end(self, name: str) -> None:
        """Nothing more comes from this place."""
        with self.lock:
            self.courses.pop(name, None)
            if self.bars and name in self.tasks:
                self.bars.remove_task(self.tasks.pop(name))

    def say(self, text: str) -> None:
        """One line."""
        with self.lock:
            self._print(text)

    def _print(self, text: str) -> None:
        if self.bars:
            self.bars.console.print(f"{self.title} {text}", markup=False, highlight=False)
        else:
            print(f"{time.strftime('%H:%M:%S')} {self.title} {text}", flush=True)


def line(name: str, done: int, total: int | None, speed: float) -> str:
    """Size, speed and time left, for a log."""
    text = f"{name}: {decimal(done)}" + (f" of {decimal(total)}" if total else "") + f", {decimal(round(speed))}/s"
    if total and speed > 0:
        minutes, seconds = divmod(round(max(total - done, 0) / speed), 60)
        hours, minutes = divmod(minutes, 60)
        text += f", {hours}:{minutes:02}:{seconds:02} left"
    return text
