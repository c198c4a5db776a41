"""Stage report: a suite's tables and claims from its stored predictions, then its figures and pages."""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.figures import draw_all
from benchmark.files import write_json
from benchmark.report.describe import describe
from benchmark.report.page import write_report
from benchmark.report.protocol import PROTOCOL, shown
from benchmark.stored import read_stored, write_all
from pipelines import program


def report(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    stored = read_stored(suite)
    write_all(suite, stored, suite.results)
    lines, seeds = [*shown(stored.predictions), *PROTOCOL], list(suite.suite().seeds)
    write_json(suite.results / "suite.json", describe(suite.name, seeds, list(stored.facts.values()), lines))
    for path in [*draw_all(suite.results), *write_report(suite.results)]:
        print(path)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(report, parser)
