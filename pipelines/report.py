"""Stage report: a suite's tables and claims from its stored predictions, then its figures and pages."""

from __future__ import annotations

import argparse

from benchmark import claims, paths
from benchmark.config import load
from benchmark.figures import draw_all
from benchmark.files import write_json
from benchmark.metrics.sheet import METRIC_COLUMNS, metric_sheet
from benchmark.reliability import RELIABILITY_COLUMNS, reliability_rows
from benchmark.report.describe import describe
from benchmark.report.page import write_report
from benchmark.report.protocol import PROTOCOL, shown
from benchmark.scoring.settings import Scoring, suffix
from benchmark.stored import decide_claims, read_stored, write_tables
from benchmark.tables import write_csv
from benchmark.training_tables import RUN_COLUMNS, TRAINING_COLUMNS, run_rows, training_rows
from pipelines import program


def report(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    stored = read_stored(suite)
    tables = write_tables(stored, suite.results)
    asked = load(Scoring, suite.scoring_yaml).explainers
    metrics = metric_sheet((row.metric for row in tables.rows), {suffix(name): name for name in asked})
    write_csv(suite.results / "metrics.csv", metrics, METRIC_COLUMNS)
    write_csv(suite.results / "reliability.csv", reliability_rows(stored.predictions), RELIABILITY_COLUMNS)
    write_csv(suite.results / "runs.csv", run_rows(stored.facts), RUN_COLUMNS)
    write_csv(suite.results / "training.csv", training_rows(stored.facts), TRAINING_COLUMNS)
    write_csv(suite.results / "claims.csv", decide_claims(suite, stored, tables), claims.COLUMNS)
    lines, seeds = [*shown(stored.predictions), *PROTOCOL], list(suite.suite().seeds)
    write_json(suite.results / "suite.json", describe(suite.name, seeds, list(stored.facts.values()), lines))
    for path in [*draw_all(suite.results), *write_report(suite.results)]:
        print(path)


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(report, parser)
