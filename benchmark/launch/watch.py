"""What a command says of itself: epochs and time left while it runs, the reason when it failed."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

EPOCH = re.compile(r"seed (\d+) epoch (\d+)/(\d+)")
TAIL_BYTES = 65536


def left_of_all(cells: Sequence[float | None], slots: int) -> float | None:
    """Seconds until all cells are done: max(longest, Σ / cells at once).

    Args:
        cells: Seconds that each cell needs, those that wait too; ``None`` where nothing tells.
        slots: How many may run at once; more than there are cells help nothing.
    """
    known = [seconds for seconds in cells if seconds is not None]
    return max(*known, sum(known) / max(1, min(slots, len(cells)))) if known else None


class Watch:
    """Follows the log of one command.

    Args:
        log: The file; it may not be there yet. What it holds already is of an earlier run.
        seeds: Those that the command still has to train; empty for a command without epochs.
    """

    def __init__(self, log: Path, seeds: Collection[int] = ()) -> None:
        self.log, self.seeds = log, tuple(seeds)
        self.at = log.stat().st_size if log.is_file() else 0
        self.start, self.rest = self.at, b""
        self.first: dict[int, int] = {}
        self.done: dict[int, int] = {}
        self.epochs = 0

    def look(self) -> bool:
        """Reads what is new; whether it told of an epoch."""
        if not self.log.is_file():
            return False
        with self.log.open("rb") as stream:
            stream.seek(self.at)
            new = stream.read()
        self.at += len(new)
        *lines, self.rest = (self.rest + new).split(b"\n")
        found = [match for line in lines for match in EPOCH.finditer(line.decode("utf-8", "replace"))]
        for match in found:
            seed, done, epochs = map(int, match.groups())
            self.first.setdefault(seed, done - 1)
            self.done[seed], self.epochs = done, max(self.epochs, epochs)
        return bool(found)

    @property
    def progress(self) -> str:
        """Epochs of all seeds, such as ``7/18``; empty before the first."""
        total = self.epochs * max(len(self.seeds), len(self.done))
        return f"{sum(self.done.values())}/{total}" if self.done else ""

    def whole(self, seeds: Iterable[int]) -> bool:
        """Whether all these seeds were trained from their first epoch on, none resumed or taken over."""
        return self.first == dict.fromkeys(seeds, 0)

    def left(self, elapsed: float) -> float | None:
        """Seconds to the end at the pace so far, ``elapsed`` since it runs; ``None`` before the first epoch.

        A training that was resumed begins at a later epoch: only what was done since counts for the pace.
        """
        gained = sum(done - self.first[seed] for seed, done in self.done.items())
        if not gained:
            return None
        total = self.epochs * max(len(self.seeds), len(self.done))
        return elapsed * (total - sum(self.done.values())) / gained

    def reason(self, code: int) -> str:
        """Why the command failed, in one line: what it said last, or the signal that ended it."""
        if code < 0:
            name = signal.Signals(-code).name
            return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        lines = [line.strip() for line in self.tail().splitlines() if line.strip()]
        told = [line for line in lines if line.startswith("error:")] or lines
        return told[-1].removeprefix("error:").strip() if told else f"exit code {code}, and it said nothing"

    def tail(self) -> str:
        """The end of what this run wrote."""
        if not self.log.is_file():
            return ""
        with self.log.open("rb") as stream:
            stream.seek(max(self.start, self.log.stat().st_size - TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
