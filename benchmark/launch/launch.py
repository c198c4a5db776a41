"""A whole launch: what is stale, the stages before cells, the cells, and the exit code."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmark.launch import child
from benchmark.launch.graph import Graph
from benchmark.launch.only_one import only_one, refuse_beside_dvc
from benchmark.launch.plan import STEPS, Plan, make_plan, stage_of
from benchmark.launch.record import Record, estimates, folder_of
from benchmark.launch.run import Run
from benchmark.launch.screen import Screen
from benchmark.launch.work import Engine, Work
from benchmark.paths import SuitePaths
from benchmark.training.progress import clock


class Stop:
    """Remembers the first signal that asks to stop: what runs ends in order, not in the middle of a line of code."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        return self.signal != 0

    def note(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hears SIGINT, SIGTERM and SIGHUP within the block."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [(number, signal.signal(number, self.note)) for number in numbers]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)


def describe(plan: Plan, suite: SuitePaths, cpus: int, gpus: int) -> str:
    """What a launch would do, a line a cell."""
    seconds = estimates(suite, [todo.cell for todo in plan.todo], cpus, gpus)
    lines = [f"first: {address}" for address in plan.first]
    for todo in plan.todo:
        known = [seconds[todo.cell, step] for step in todo.steps if (todo.cell, step) in seconds]
        steps = " and ".join(todo.steps) or ("nothing but to be recorded" if todo.trained else "if those change it")
        waits = f", after {', '.join(todo.waits_for)}" if todo.waits_for else ""
        lines.append(f"{todo.cell.key}: {steps}{waits}{f', about {clock(sum(known))}' if known else ''}")
    lines.append(f"{len(plan.todo)} cells to do, {plan.fresh} fresh")
    return "\n".join(lines)


def launch(
    suite: SuitePaths, only: str, make_engine: Callable[[], Engine], cpus: int, gpus: int, screen: Screen | None = None
) -> int:
    """Runs every stale cell of a suite.

    Args:
        suite: Which.
        only: Cells whose names match, as in a shell.
        make_engine: Called when something is stale, and not before.
        cpus: Cores of a cell.
        gpus: GPUs of a cell, 0 or 1.
        screen: Where to show it.

    Returns:
        0 when all is fresh, 1 when a cell failed or was refused, 128 and the signal when one stopped it.

    Raises:
        BenchmarkError: If another launch or `dvc repro` of its cells runs, the suite or an option is bad, or no machine
            has what a cell asks for.
    """
    screen, stop = screen or Screen(), Stop()
    with only_one(suite.name):
        graph = Graph(suite)
        plan = make_plan(graph, only)
        if not plan.todo:
            screen.say(f"all {plan.fresh} cells of suite {suite.name} are fresh: nothing to do")
            return 0
        stages = [stage_of(graph, step, todo.cell) for todo in plan.todo for step in STEPS]
        refuse_beside_dvc(Path(graph.repo.tmp_dir), {out.fs_path for stage in stages for out in stage.outs})
        engine = make_engine()
        try:
            with stop.heard(), screen:
                if plan.first:
                    run_first(plan, suite, screen, stop)
                    graph = Graph(suite)
                    plan = make_plan(graph, only)
                record = Record(graph)
                run = Run(record, engine, plan, screen, stop, cpus, gpus)
                run.go()
        finally:
            engine.close()
    failed = {cell.key: why for cell, why in run.failed.items()}
    for name, why in failed.items():
        screen.say(f"failed {name}: {why}")
    left = run.asked - len(run.done) - len(failed)
    screen.say(f"{len(run.done)} cells done, {plan.fresh} were fresh, {len(failed)} failed, {left} left")
    if stop.signal:
        screen.say("stopped; run the same command to go on")
        return 128 + stop.signal
    if not failed:
        screen.say(f"next: dvc repro {suite.pipeline}")
    return 1 if failed else 0


def run_first(plan: Plan, suite: SuitePaths, screen: Screen, stop: Stop) -> None:
    """Runs the stages before cells by `dvc repro`; where one fails, the others go on.

    Raises:
        BenchmarkError: If it cannot even begin.
    """
    log = folder_of(suite) / "logs" / "first.log"
    screen.say(f"first: {len(plan.first)} stages before the cells (log: {log})")
    since = time.time()
    process = child.start(Work("first", ("python", "-m", "dvc", "repro", "--keep-going", *plan.first), log))
    while process.poll() is None and not stop():
        time.sleep(0.1)
    code = process.poll()
    child.end([process])
    if code and not stop():
        tail = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        screen.say(f"FAILED a stage before the cells: {tail[-1] if tail else f'exit code {code}'}")
    elif not stop():
        screen.say(f"first: done in {clock(time.time() - since)}")
