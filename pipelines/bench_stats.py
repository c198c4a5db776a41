"""Measure what the bootstrap of whole tables costs, beside scipy.stats.bootstrap.

Writes results/stats/bench.csv and prints whether the bounds are kept; on one thread, in seconds of processor time:
about three minutes. SciPy is timed on few draws of one cell and variant, drawn row by row, and scaled up to the table.
A run of fewer draws writes to runs/bench/.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read once, when NumPy is imported

from benchmark import paths
from benchmark.stats.timing import DRAWS, JOBS, Row, measured
from benchmark.tables import write_csv
from pipelines import program

PUBLISHED, TRIAL = paths.RESULTS / "stats" / "bench.csv", paths.RUNS / "bench" / "stats.csv"

BOUNDS = {"accuracy_and_macro_f1": 10.0, "accuracy_and_macro_f1_patterns": 10.0, "macro_auroc": 2.0}
"""Case to the most seconds of one core."""

CLUSTERS = 5.0
"""With clusters a case takes at most so many times as long."""


def bounds(seconds: dict[str, float]) -> dict[str, float]:
    """The most seconds that each case may take, from what each took."""
    clusters = {f"{case}_clusters": CLUSTERS * spent for case, spent in seconds.items()}
    return {case: most for case, most in (BOUNDS | clusters).items() if case in seconds}


def bench(arguments: argparse.Namespace) -> None:
    rows = []
    for job in JOBS:
        row = measured(replace(job, draws=arguments.draws), arguments.repeats, arguments.scipy_draws)
        times = f"SciPy takes {1 / row.ratio_to_scipy:,.0f} times as long"
        print(f"{row.case:<32}{row.seconds:7.2f} s of one core; {times}", flush=True)
        rows.append(row)
    target = arguments.out or (PUBLISHED if arguments.draws >= DRAWS else TRIAL)
    write_csv(target, rows, list(Row.__dataclass_fields__))
    print(target)
    seconds = {row.case: row.seconds for row in rows}
    for case, most in bounds(seconds).items():
        verdict = "kept" if seconds[case] < most else "BROKEN"
        print(f"{verdict}: {case} in {seconds[case]:.2f} s, at most {most:.2f} s")


def positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("--draws", type=positive, default=DRAWS, help=f"bootstrap draws ({DRAWS})")
    parser.add_argument("--repeats", type=positive, default=3, help="timings of each case, the least counts (3)")
    parser.add_argument("--scipy-draws", type=positive, default=500, help="draws that SciPy is timed on (500)")
    parser.add_argument("--out", type=Path, help="the table's file")
    program.run(bench, parser)
