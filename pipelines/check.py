"""Stage check: compare a suite's summary with its recorded reference numbers and count its claims.

Writes results/<suite>/check.json. A drift is printed, and with --strict ends in exit code 1; --record makes the present
summary the reference (do that on purpose, in a commit that says why the numbers moved). More than this, the tables
against the predictions and models trained again, is in `python -m benchmark.check`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from benchmark import paths
from benchmark.check.reference import KEY, compare_suite, record
from benchmark.errors import BenchmarkError
from benchmark.files import write_json
from benchmark.stored import read_facts
from benchmark.tables import read_rows
from pipelines import program

NEEDED = ("summary.csv", "suite.json", "claims.csv")


def check_results(suite: paths.SuitePaths) -> None:
    """Refuses a suite that is not there, or that has no results yet."""
    suite.suite()
    for path in (suite.results / name for name in NEEDED):
        if not path.is_file():
            raise BenchmarkError(
                f"suite {suite.name} has no results to check",
                got=f"no file {path}",
                expected=", ".join(NEEDED),
                do=f"Run `dvc repro {suite.pipeline}`.",
            )


def check(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    check_results(suite)
    if arguments.record:
        record(suite)
    part = compare_suite(suite)
    verdicts = Counter(row["verdict"] for row in read_rows(suite.results / "claims.csv"))
    drifts = [
        {"name": moved.name, "recorded": f"{moved.recorded} {moved.allowed}", "found": moved.found}
        for moved in part.moved
    ]
    write_json(
        suite.results / "check.json",
        {
            "compared": part.compared,
            "by": list(KEY),
            "drifts": drifts,
            "claims": {verdict: verdicts[verdict] for verdict in ("pass", "fail", "undecided")},
        },
    )
    for drift in drifts:
        print("DRIFT {name}: recorded {recorded}, found {found}".format(**drift))
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none"
    skipped = sorted({cell.dataset for cell, fact in read_facts(suite).items() if "skipped" in fact})
    left_out = f", {', '.join(skipped)} skipped" if skipped else ""
    print(f"{part.compared} recorded numbers compared, {len(drifts)} drifted{left_out}; claims: {counted}")
    if drifts and arguments.strict:
        sys.exit(1)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    parser.add_argument("--strict", action="store_true", help="exit code 1 on a drift")
    parser.add_argument("--record", action="store_true", help="make the present numbers the reference")
    program.run(check, parser)
