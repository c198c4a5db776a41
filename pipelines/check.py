"""Stage check: compare a suite's summary with its recorded reference numbers and count its claims.

Writes results/<suite>/check.json. A drift is printed, and with --strict ends in exit code 1; --record makes the present
summary the reference (do that on purpose, in a commit that says why the numbers moved).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from benchmark import __version__, paths
from benchmark.drift import COLUMNS, KEY, compare
from benchmark.errors import BenchmarkError
from benchmark.files import read_json, write_json
from benchmark.tables import write_csv
from pipelines import program
from pipelines.report import read_rows

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
    reference = paths.REFERENCE / f"{suite.name}.csv"
    summary, facts = read_rows(suite.results / "summary.csv"), read_json(suite.results / "suite.json")
    recorded = read_rows(reference) if reference.is_file() else []
    skipped = {cell["dataset"] for cell in facts["skipped"]}
    if arguments.record:
        source = f"this project, version {__version__}, training code {facts['code']}"
        new = [{**row, "source": source} for row in summary if row["family"] != "guard" and row["value"]]
        new += [row for row in recorded if row["dataset"] in skipped]  # nothing says that these moved
        write_csv(reference, [{name: row[name] for name in COLUMNS} for row in new], COLUMNS)
        recorded = read_rows(reference)
    recorded = [row for row in recorded if row["dataset"] not in skipped]
    present = {row["method"] for row in summary}
    drifts = compare([row for row in recorded if row["method"] in present], summary)
    verdicts = Counter(row["verdict"] for row in read_rows(suite.results / "claims.csv"))
    write_json(
        suite.results / "check.json",
        {
            "compared": len(recorded),
            "by": list(KEY),
            "drifts": [drift._asdict() for drift in drifts],
            "claims": {verdict: verdicts[verdict] for verdict in ("pass", "fail", "undecided")},
        },
    )
    for drift in drifts:
        print(f"DRIFT {drift.name}: recorded {drift.recorded}, found {drift.found}")
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none"
    left_out = f", {', '.join(sorted(skipped))} skipped" if skipped else ""
    print(f"{len(recorded)} recorded numbers compared, {len(drifts)} drifted{left_out}; claims: {counted}")
    if drifts and arguments.strict:
        sys.exit(1)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    parser.add_argument("--strict", action="store_true", help="exit code 1 on a drift")
    parser.add_argument("--record", action="store_true", help="make the present numbers the reference")
    program.run(check, parser)
