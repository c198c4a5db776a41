"""Tells how many seeds and test units separate two methods, from the stored predictions of a suite.

    python -m benchmark power default --methods isnet_path erm --variant deceiving --metric accuracy --delta 0.02

The predictions of both methods are the pilot: they tell how much the paired difference varies between test units and
between seeds. Printed are these variances, the power of the suite as it is (the chance that its test finds a true
difference of delta), the smallest difference it finds, and the power with other numbers of seeds and units. Where a
table compares ten methods with a reference, try --alpha 0.005, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark import paths
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import read_json

if TYPE_CHECKING:
    from benchmark.cell import Cell
    from benchmark.stats.power import Pilot

SHARES = (0.25, 0.5, 1, 2, 4, 8)
"""Rows of the table: times the pilot's units."""

SEEDS = (2, 3, 5, 10, 20)
"""Columns of the table, beside the pilot's own."""

MOST_SEEDS = 30
"""More than that nobody trains: what needs more is told to be out of reach."""

PAYS = 0.9
"""One more seed is worth a line where it saves at least a tenth of the units."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("suite", help="whose predictions lie in results/<suite>/predictions")
    parser.add_argument("--methods", nargs=2, required=True, metavar=("METHOD", "REFERENCE"), help="the two methods")
    parser.add_argument("--variant", default="deceiving", help="iid, ood, deceiving or external (default: deceiving)")
    parser.add_argument("--metric", default="accuracy", help="as in scores.csv (default: accuracy)")
    parser.add_argument("--delta", type=float, required=True, metavar="D", help="the true difference to be found")
    parser.add_argument("--power", type=float, default=0.8, metavar="P", help="chance to find it (default: 0.8)")
    parser.add_argument("--alpha", type=float, default=0.05, metavar="A", help="level of the test (default: 0.05)")
    parser.add_argument("--task", metavar="TASK", help="such as mnist5k-corner; needed where a suite has several")
    parser.add_argument("--draws", type=int, default=2000, metavar="B", help="bootstrap draws (default: 2000)")


def run(options: argparse.Namespace) -> None:
    """Reads, measures and prints."""
    from benchmark.predictions import Predictions
    from benchmark.stats.pilots import pilot_between

    if options.draws < 2:
        raise BenchmarkError("--draws", got=options.draws, expected="2 or more")
    suite = paths.SuitePaths(options.suite)
    cells = cells_of(suite, options.task, options.methods)
    ours, theirs = (Predictions.read(suite.predictions(cell)) for cell in cells)
    task = cells[0].task
    pilot, metric = pilot_between(ours, theirs, options.variant, options.metric, task=task, draws=options.draws)
    span = metric.high - metric.low
    if not 0 < options.delta <= span:
        expected = f"above 0 and at most {span:g}, the largest difference of {metric.name}"
        raise BenchmarkError("--delta", got=options.delta, expected=expected)
    head = f"{task}, {options.variant}, {metric.name}: {cells[0].method} minus {cells[1].method}\n"
    lines = [*variances(pilot), *present(pilot, options), *table(pilot, options), *designs(pilot, options)]
    print("\n".join([head, *lines]))


def cells_of(suite: paths.SuitePaths, task: str | None, methods: Sequence[str]) -> list[Cell]:
    """The two cells, from the names of the stored files.

    Raises:
        BenchmarkError: If there is no such suite, task or method, or a cell was skipped.
    """
    from benchmark.cell import Cell

    stored = [Cell.parse(file.stem) for file in sorted((suite.results / "predictions").glob("*.npz"))]
    if not stored:
        known = {folder.parent.name for folder in paths.RESULTS.glob("*/predictions")}
        raise_unknown("suite with predictions", suite.name, known)
    tasks = sorted({cell.task for cell in stored})
    if task is None and len(tasks) > 1:
        raise BenchmarkError("--task is missing", expected=f"one of {', '.join(tasks)}: the suite has several")
    if (task := task or tasks[0]) not in tasks:
        raise_unknown("task", task, tasks)
    of_method = {cell.method: cell for cell in stored if cell.task == task}
    for name in methods:
        if name not in of_method:
            raise_unknown(f"method on {task}", name, of_method)
        facts = suite.facts(of_method[name])
        if facts.is_file() and (why := read_json(facts).get("skipped")):
            raise BenchmarkError(f"cell {of_method[name].key} was skipped", got=why.get("reason"), do=why.get("do"))
    if len(set(methods)) < len(methods):
        raise BenchmarkError("--methods", got=" ".join(methods), expected="two different methods")
    return [of_method[name] for name in methods]


# --- what is printed --------------------------------------------------------------------------------


def variances(pilot: Pilot) -> list[str]:
    """The pilot: its difference, and where its variance comes from."""
    seeds, (low, high) = pilot.n_seeds, pilot.seed_bounds()
    total = pilot.of_units + pilot.of_seeds / seeds
    return [
        f"pilot: {pilot.n_units} units, {seeds} seeds",
        f"  difference         {pilot.difference:+.3g}, standard error {total**0.5:.3g}",
        f"  variance of units  {pilot.of_units:.3g}, {pilot.of_units / total:.0%} of its square, "
        f"of which {pilot.of_both / seeds:.2g} is each training's own answers",
        f"  variance of seeds  {pilot.of_seeds / seeds:.3g}, {pilot.of_seeds / seeds / total:.0%} of its square",
        f"  from seed to seed  standard deviation {pilot.of_seeds**0.5:.3g}; {seeds} seeds tell only that it is "
        f"{low**0.5:.2g} to {high**0.5:.2g} (95 %)",
        "",
    ]


def present(pilot: Pilot, options: argparse.Namespace) -> list[str]:
    """What the suite as it is can separate."""
    from benchmark.stats.power import power, smallest_difference

    asked = {"alpha": options.alpha}
    now = float(power(pilot, options.delta, pilot.n_units, pilot.n_seeds, **asked))
    least = smallest_difference(pilot, pilot.n_units, pilot.n_seeds, target=options.power, **asked)
    lines = [
        f"this design, two-sided test at alpha = {options.alpha:g}",
        f"  power to find a difference of {options.delta:g}: {now:.2f}",
        f"  smallest difference found with power {options.power:g}: {least:.3g}",
    ]
    if now < options.power:
        lines.append(
            f"warning: this table cannot separate the methods by {options.delta:g}: "
            "that a difference is not significant there says little"
        )
    return [*lines, ""]


def table(pilot: Pilot, options: argparse.Namespace) -> list[str]:
    """Power by units (rows) and seeds (columns)."""
    from benchmark.stats.power import power

    seeds = sorted({*SEEDS, pilot.n_seeds})
    lines = [
        f"power by units and seeds (* reaches {options.power:g})",
        f"{'units':>9}" + "".join(f"{count:>8}" for count in seeds) + "  seeds",
    ]
    for units in sorted({max(2, round(share * pilot.n_units)) for share in SHARES}):
        row = [float(power(pilot, options.delta, units, count, alpha=options.alpha)) for count in seeds]
        lines.append(f"{units:>9}" + "".join(f"{p:>7.2f}{'*' if p >= options.power else ' '}" for p in row))
    return [*(line.rstrip() for line in lines), ""]


def designs(pilot: Pilot, options: argparse.Namespace) -> list[str]:
    """The cheapest designs: no other has as few seeds and as few units."""
    from benchmark.stats.power import fewest_units

    seeds = range(2, MOST_SEEDS + 1)
    units = fewest_units(pilot, options.delta, seeds, target=options.power, alpha=options.alpha)
    best: list[tuple[int, int]] = []
    for count, enough in zip(seeds, units, strict=True):
        if enough is not None and (not best or enough < PAYS * best[-1][1]):
            best.append((count, enough))
    if not best:
        return [
            f"no design with up to {MOST_SEEDS} seeds reaches power {options.power:g}: look for a larger difference"
        ]
    lines = [f"cheapest designs with power {options.power:g}"]
    lines += [f"  {count:>3} seeds, {enough:,} units" for count, enough in best]
    if best[0][0] > 2:
        lines.append(f"  with fewer than {best[0][0]} seeds no number of units is enough")
    return lines
