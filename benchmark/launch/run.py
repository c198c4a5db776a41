"""The loop of a launch: fills the engine's slots, follows what runs, and has finished stages recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmark.cell import Cell
from benchmark.launch.belongs import jobs_of
from benchmark.launch.graph import Stage, command, inputs
from benchmark.launch.plan import Plan, Todo, stage_of
from benchmark.launch.record import Record, estimates, folder_of, note_time
from benchmark.launch.screen import Row, Screen, State
from benchmark.launch.watch import Watch, left_of_all
from benchmark.launch.work import Engine, Outcome, Work
from benchmark.training.progress import clock

COMMIT_S = 60.0
TRIES = 3
"""How often a command is started whose machine goes each time."""


@dataclass
class Out:
    """A command that an engine has; ``since`` it has a place, for a queue says nothing of its pace."""

    todo: Todo
    step: str
    stage: Stage
    inputs: tuple[tuple[str, str], ...]
    work: Work
    watch: Watch
    since: float | None = None
    handle: Any = None


class Run:
    """The cells of one launch.

    Args:
        record: Takes finished stages.
        engine: Runs the commands.
        plan: What is stale; cells whose earlier stages failed are told as failed.
        screen: Told of every event.
        stopped: Whether somebody asked to stop; asked often.
        cpus: Cores of a cell.
        gpus: GPUs of a cell, 0 or 1.
    """

    def __init__(
        self,
        record: Record,
        engine: Engine,
        plan: Plan,
        screen: Screen,
        stopped: Callable[[], bool],
        cpus: int,
        gpus: int,
    ) -> None:
        self.record, self.engine, self.screen, self.stopped = record, engine, screen, stopped
        self.cpus, self.gpus, self.suite = cpus, gpus, record.graph.suite
        self.estimates = estimates(self.suite, [todo.cell for todo in plan.todo], cpus, gpus)
        late = [todo for todo in plan.todo if todo.waits_for and not stopped()]  # stopped before them: left, not failed
        self.failed = {todo.cell: f"{todo.waits_for[0]}, which it needs, is stale" for todo in late}
        ready = [todo for todo in plan.todo if not todo.waits_for]
        self.waiting = sorted(ready, key=lambda todo: -(self.left_of(todo) or 0))  # the longest first
        self.running: list[Out] = []
        self.lost: dict[tuple[Cell, str], int] = {}
        self.done: list[Cell] = []
        self.asked = len(plan.todo)
        self.committed_at = time.monotonic()

    def go(self) -> None:
        """Runs until nothing is left or somebody asks to stop; then ends what runs, and records all that ended well."""
        for todo in self.waiting:
            if todo.trained:
                self._trained_before(todo)
        self.done += [todo.cell for todo in self.waiting if not todo.steps]
        self.waiting = [todo for todo in self.waiting if todo.steps]
        try:
            while (self.waiting or self.running) and not self.stopped():
                self._fill()
                self._look()
                if time.monotonic() - self.committed_at > COMMIT_S:
                    self._commit()
                self.screen.show(self.state())
                time.sleep(self.engine.look_s)
        finally:
            try:
                self.engine.cancel([out.handle for out in self.running])
            finally:
                self.running = []
                self._commit()

    def _trained_before(self, todo: Todo) -> None:
        """A finished training that no launch recorded."""
        stage = stage_of(self.record.graph, "train", todo.cell)
        self.record.add(todo.cell, "train", stage, inputs(stage))
        self.screen.say(f"{todo.cell.key}: trained before, not again")

    def _fill(self) -> None:
        free = self.engine.slots - len(self.running)
        ready = [self._prepare(self.waiting.pop(0)) for _ in range(min(free, len(self.waiting)))]
        for out, handle in zip(ready, self.engine.submit([out.work for out in ready]) if ready else [], strict=True):
            out.handle = handle
            self.running.append(out)
            self.screen.say(f"start {out.work.name} {self.engine.where(handle)}".rstrip())

    def _prepare(self, todo: Todo) -> Out:
        step, cell = todo.steps[0], todo.cell
        stage = stage_of(self.record.graph, step, cell)
        if step == "train" and todo.remove:
            for out in stage.outs:
                out.remove()
            todo.remove = False
        log = folder_of(self.suite) / "logs" / f"{step}-{cell.key}.log"
        work = Work(f"{step}@{cell.key}", command(stage), log, self.cpus, self.gpus)
        return Out(todo, step, stage, inputs(stage), work, Watch(log, self._seeds(todo)))

    def _seeds(self, todo: Todo) -> list[int]:
        """Seeds that the next step has to train: an earlier launch may have finished some."""
        if todo.steps[0] != "train":
            return []
        return [job.seed for job in jobs_of(todo.cell, self.suite) if not job.is_in(job.folder)]

    def _look(self) -> None:
        for out in list(self.running):
            out.watch.look()
            if out.since is None and self.engine.where(out.handle):
                out.since = time.monotonic()
            if (outcome := self.engine.poll(out.handle)) is not None:
                self.running.remove(out)
                self._ended(out, outcome)

    def _ended(self, out: Out, outcome: Outcome) -> None:
        out.watch.look()
        whole = out.step != "train" or out.watch.whole(self.suite.suite().seeds)
        note_time(self.suite, out.todo.cell, out.step, self.engine.name, out.work, outcome, whole)
        key, cell = (out.todo.cell, out.step), out.todo.cell
        if outcome.code == 0:
            self.record.add(cell, out.step, out.stage, out.inputs)
            out.todo.steps.pop(0)
            self.screen.say(f"done {out.work.name} in {clock(outcome.seconds)} on {outcome.where}")
            if out.todo.steps:
                self.waiting.insert(0, out.todo)
            else:
                self.done.append(cell)
        elif outcome.lost and self.lost.get(key, 0) < TRIES - 1:
            self.lost[key] = self.lost.get(key, 0) + 1
            self.waiting.insert(0, out.todo)
            self.screen.say(f"lost {out.work.name}: {outcome.reason}; it starts again where it stopped")
        else:
            self.failed[cell] = outcome.reason or out.watch.reason(outcome.code)
            self.screen.say(f"FAILED {out.work.name}: {self.failed[cell]} (all of it: {out.work.log})")

    def _commit(self) -> None:
        before = dict(self.record.refused)
        self.record.commit()
        for cell, why in self.record.refused.items():
            if cell not in before:
                self.failed[cell] = why
                self.screen.say(f"REFUSED {cell.key}: {why}")
        self.waiting = [todo for todo in self.waiting if todo.cell not in self.failed]
        self.done = [cell for cell in self.done if cell not in self.failed]
        self.committed_at = time.monotonic()

    # --- what is shown -------------------------------------------------------------------------------

    def left_of(self, todo: Todo) -> float | None:
        """Seconds of all steps of a cell that waits; ``None`` if nothing is known of one."""
        known = [self.estimates.get((todo.cell, step)) for step in todo.steps]
        return sum(each for each in known if each is not None) if any(each is not None for each in known) else None

    def state(self) -> State:
        """Where the launch stands."""
        rows, chains = list[Row](), list[float | None]()
        for out in self.running:
            elapsed = 0.0 if out.since is None else time.monotonic() - out.since
            guess = self.estimates.get((out.todo.cell, out.step))
            left = out.watch.left(elapsed)
            if left is None and guess is not None:
                left = max(0.0, guess - elapsed)
            rows.append(
                Row(out.todo.cell.key, out.step, self.engine.where(out.handle), out.watch.progress, elapsed, left)
            )
            later = [self.estimates.get((out.todo.cell, step), 0.0) for step in out.todo.steps[1:]]
            chains.append(None if left is None else left + sum(later))
        chains += [self.left_of(todo) for todo in self.waiting]
        failed = {cell.key: why for cell, why in self.failed.items()}
        return State(rows, failed, len(self.done), len(self.waiting), left_of_all(chains, self.engine.slots))
