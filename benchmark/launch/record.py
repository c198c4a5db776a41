"""The record of a launch: finished stages go into ``dvc.lock`` and the cache, and how long they took into a table."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from benchmark.cell import Cell
from benchmark.launch import belongs
from benchmark.launch.graph import Graph, Stage
from benchmark.launch.graph import inputs as inputs_of
from benchmark.launch.work import Outcome, Work
from benchmark.paths import RUNS, SuitePaths

TIMES = ("stage", "method", "step", "engine", "where", "cpus", "gpus", "seconds", "code", "ended", "whole")
PATIENCE_S = 60.0
"""How long a commit waits for another DVC command to end."""


def folder_of(suite: SuitePaths) -> Path:
    """Logs and times of a suite's launches."""
    return RUNS / ".work" / "launch" / suite.name


class Record:
    """Finished stages that wait to be committed.

    Args:
        graph: The stages as they were when the launch began: what ran is what is recorded.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.waiting: list[tuple[Cell, str, Stage, tuple[tuple[str, str], ...]]] = []
        self.refused: dict[Cell, str] = {}
        self.committed = 0
        self.score_code = ""

    def add(self, cell: Cell, step: str, stage: Stage, inputs: tuple[tuple[str, str], ...]) -> None:
        """A finished stage, with what it read when it began."""
        self.waiting.append((cell, step, stage, inputs))

    def why_not(self, cell: Cell, step: str, stage: Stage, inputs: tuple[tuple[str, str], ...]) -> str:
        """Why a stage must not be recorded; empty if it may."""
        now = dict(inputs_of(stage))
        if changed := [name for name, value in inputs if now.get(name) != value]:
            return f"{changed[0]} changed while it ran"
        return belongs.foreign_run(cell, self.graph.suite) if step == "train" else self.score_code

    def commit(self) -> None:
        """Records what waits as `dvc commit` does, in one pass, but for what is not of the present settings and code.

        ``dvc.lock`` is written once for all, for each time costs as much as the file is long.
        """
        from dvc.exceptions import DvcException

        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        belongs.look_again()
        self.score_code = belongs.foreign_score_code(self.graph.suite) if any(w[1] == "score" for w in waiting) else ""
        good: list[Stage] = []
        if why := self._lock():
            self.refused |= {entry[0]: f"not recorded: {why}; launch again" for entry in waiting}
            return
        try:
            for cell, step, stage, inputs in waiting:
                if cell in self.refused:
                    continue
                try:
                    if why := self.why_not(cell, step, stage, inputs):
                        self.refused[cell] = f"not recorded: {why}; launch again"
                        continue
                    stage.save()
                    stage.commit()
                    good.append(stage)
                except (DvcException, OSError) as error:
                    self.refused[cell] = f"not recorded: {' '.join(str(error).split())}; launch again"
            if good:
                good[0].dvcfile.dump_stages(good, update_pipeline=False)
        finally:
            self.graph.repo.lock.unlock()
        self.committed += len(good)
        self.graph.look_again()

    def _lock(self) -> str:
        """Takes DVC's lock; why not, if another command keeps it."""
        from dvc.lock import LockError

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.graph.repo.lock.lock()
            except LockError:
                if time.monotonic() > deadline:
                    return "another DVC command is running"
            else:
                return ""


def note_time(
    suite: SuitePaths, cell: Cell, step: str, engine: str, work: Work, outcome: Outcome, whole: bool = True
) -> None:
    """Adds a row to the table of times; not ``whole`` is a training that was resumed: it says nothing of the next."""
    path = folder_of(suite) / "times.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            writer.writerow(TIMES)
        ended = time.strftime("%Y-%m-%dT%H:%M:%S")
        told = (engine, outcome.where, work.cpus, work.gpus, round(outcome.seconds, 2), outcome.code, ended)
        writer.writerow([work.name, cell.method, step, *told, int(whole)])


def estimates(suite: SuitePaths, cells: Iterable[Cell], cpus: int = 1, gpus: int = 0) -> dict[tuple[Cell, str], float]:
    """Seconds that a step of a cell should take: its own last time, else the middle of its method's; else of one seed.

    Times count that were taken with as many cores and GPUs, from the first epoch on. The last is ``train_seconds`` of
    the suite's costs.csv times the seeds, ``cpus`` of them at once.
    """
    times, costs = folder_of(suite) / "times.csv", suite.results / "costs.csv"
    wanted = {"code": "0", "cpus": str(cpus), "gpus": str(gpus), "whole": "1"}
    rows = [row for row in _rows(times) if wanted.items() <= row.items()]
    trained = {row["method"]: float(row["train_seconds"]) for row in _rows(costs) if row.get("train_seconds")}
    waves, found = -(-len(suite.suite().seeds) // cpus), {}
    for cell in cells:
        for step in ("train", "score"):
            own = [float(row["seconds"]) for row in rows if row["stage"] == f"{step}@{cell.key}"]
            method = [float(row["seconds"]) for row in rows if (row["method"], row["step"]) == (cell.method, step)]
            if method:
                found[cell, step] = own[-1] if own else median(method)
            elif step == "train" and cell.method in trained:
                found[cell, step] = trained[cell.method] * waves
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
