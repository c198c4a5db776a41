"""Tune methods: the same number of trials, epochs and images for each, all recorded.

Trial 0 has the values of the method's YAML, the others are drawn from pipelines/configs/search/<method>.yaml. A trial
trains one seed that no suite has and is scored on the validation images, never on a test variant. Writes
results/tune/<dataset>-<bias>/<method>.csv and prints it with two choices: `iid`, the one that counts (RULES.md,
rule 8a), and `oracle`, what knowledge of the bias would have chosen. Finished trials are found again, unfinished
ones go on.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence

from benchmark import paths, program
from benchmark.cell import Cell
from benchmark.config import load_method
from benchmark.errors import BenchmarkError
from benchmark.training.pool import worker_count
from benchmark.training.progress import clock
from benchmark.training.seed import limit_threads
from benchmark.tune import select
from benchmark.tune.estimate import Cost, cost, epochs_of
from benchmark.tune.log import table, words, write_log
from benchmark.tune.progress import Line, Progress
from benchmark.tune.settings import values_of
from benchmark.tune.trials import Budget, Plan, Trial, pending, plan, score, train
from benchmark.tune.write import write_values


def lines_of(trials: Sequence[Trial]) -> list[Line]:
    """The trials as the display knows them, each with the cost of its method's first one.

    A method whose cost cannot be measured counts as the mean of the others.
    """
    costs: dict[str, Cost] = {}
    for trial in trials:
        if trial.job.cell.method not in costs:
            costs[trial.job.cell.method] = cost(trial.job)
    seconds = {method: one.seconds / one.epochs for method, one in costs.items()}
    known = [value for value in seconds.values() if math.isfinite(value)]
    mean = sum(known) / len(known) if known else 1.0
    each = {method: value if math.isfinite(value) else mean for method, value in seconds.items()}
    return [Line(trial.name, epochs_of(trial.job), each[trial.job.cell.method]) for trial in trials]


def announcement(plans: Sequence[Plan], budget: Budget, lines: Sequence[Line], workers: int | None) -> str:
    """The budget, what is left of it, and how long that takes."""
    cores = len(os.sched_getaffinity(0))
    at_once = min(workers or worker_count(len(lines), cores), cores)
    seconds = sum(line.cost * line.epochs for line in lines) / max(at_once, 1)
    each = f"{len(plans)} methods x {budget.trials} trials x {budget.epochs} epochs, seed {budget.seed}"
    return f"{each}: {len(lines)} trainings left, about {clock(seconds)} on {cores} cores"


def put_into_yaml(plan: Plan, chosen: Trial, suite: paths.SuitePaths, budget: Budget) -> str:
    """Writes the chosen trial's values into the method's YAML; returns what it wrote."""
    yaml = suite.method_yaml(plan.cell.method)
    own = values_of(load_method(yaml))
    moved = {name: value for name, value in chosen.values.items() if value != own[name]}
    note = f"trial {chosen.number} of {budget.trials}, {budget.epochs} epochs each: {suite.tuning(plan.cell)}"
    write_values(yaml, moved, note)
    return f"{yaml}: {words(moved) or 'its own values are the best'}"


def tune(arguments: argparse.Namespace) -> None:
    """The program.

    Raises:
        BenchmarkError: On bad input; or, after all else is done, if a method has no trial with a score.
    """
    suite = paths.SuitePaths(arguments.suite)
    methods = list(dict.fromkeys(arguments.method or suite.suite().matrix.method))
    budget = Budget(arguments.trials, arguments.epochs, arguments.seed)
    plans = [plan(Cell(arguments.dataset, arguments.bias, method), suite, budget) for method in methods]
    waiting = pending(plans)
    lines = lines_of(waiting)
    if arguments.dry_run:
        for trial in (trial for one in plans for trial in one.trials):
            print(f"{trial.name}: {words(trial.values)}{'  (done)' if trial.finished else ''}")
    print(announcement(plans, budget, lines, arguments.workers), flush=True)
    if arguments.dry_run:
        return
    train(waiting, Progress(lines), arguments.workers)
    limit_threads()
    hopeless = []
    for one in plans:
        scores = score(one)
        selected = select.both(scores, one.search.direction)
        write_log(suite.tuning(one.cell), one, scores, selected)
        print("\n".join([*table(one, scores, selected), f"  {suite.tuning(one.cell)}"]), flush=True)
        if not selected:
            hopeless.append(one.cell.method)
        elif arguments.write:
            chosen = select.iid(scores, one.search.direction).trial
            print(f"  {put_into_yaml(one, one.trials[chosen], suite, budget)}", flush=True)
    if hopeless:
        raise BenchmarkError(
            f"no trial of {', '.join(hopeless)} has a score", do="Narrow the ranges of the search file, see the log."
        )


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def arguments_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = program.parser(__doc__)
    parser.add_argument("method", nargs="*", help="configurations of methods (default: those of the suite)")
    parser.add_argument("--suite", default="default", help="whose settings of a method are trial 0")
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--bias", default="corner")
    parser.add_argument("--trials", type=positive, default=6, help="of each method, trial 0 among them")
    parser.add_argument("--epochs", type=positive, default=5, help="of each trial")
    parser.add_argument("--seed", type=int, default=1000, help="of draws and trainings; no suite's")
    parser.add_argument("--workers", type=positive, help="trainings at once (default: by the number of cores)")
    parser.add_argument("--write", action="store_true", help="put the values chosen by `iid` into the methods' YAML")
    parser.add_argument("--dry-run", action="store_true", help="list the trials and the time they take, train nothing")
    return parser


if __name__ == "__main__":
    program.run(tune, arguments_of())
