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
from benchmark.files import read_json, write_json
from benchmark.summary import write_csv
from pipelines import program
from pipelines.report import read_rows


def check(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    reference = paths.REFERENCE / f"{suite.name}.csv"
    summary = read_rows(suite.results / "summary.csv")
    if arguments.record:
        code = read_json(suite.results / "suite.json")["code"]
        source = f"this project, version {__version__}, training code {code}"
        kept = [{**row, "source": source} for row in summary if row["family"] != "guard" and row["value"]]
        write_csv(reference, [{name: row[name] for name in COLUMNS} for row in kept], COLUMNS)
    recorded = read_rows(reference) if reference.is_file() else []
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
    print(f"{len(recorded)} recorded numbers compared, {len(drifts)} drifted; claims: {counted}")
    if drifts and arguments.strict:
        sys.exit(1)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    parser.add_argument("--strict", action="store_true", help="exit code 1 on a drift")
    parser.add_argument("--record", action="store_true", help="make the present numbers the reference")
    program.run(check, parser)
