"""Stage report: a suite's scores.csv, summary.csv and claims.csv from its stored predictions, then its pages."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from benchmark import claims, paths
from benchmark.config import load
from benchmark.explainers.conventions import trained_by_maps
from benchmark.files import read_json, write_json
from benchmark.metrics.sheet import METRIC_COLUMNS, metric_sheet
from benchmark.predictions import Predictions
from benchmark.report.describe import describe
from benchmark.report.page import write_report
from benchmark.report.protocol import PROTOCOL, shown
from benchmark.scoring.settings import Scoring, suffix
from benchmark.slopes import SLOPE_COLUMNS, slope_rows
from benchmark.summary import summarise
from benchmark.tables import write_csv
from pipelines import program


def report(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    settings = suite.suite()
    facts = {cell: read_json(suite.facts(cell)) for cell in settings.cells()}
    predictions = {c: Predictions.read(suite.predictions(c)) for c, fact in facts.items() if "skipped" not in fact}
    by_maps = trained_by_maps()
    explained = {
        cell
        for cell in predictions
        if facts[cell]["trained_through"] or facts[cell]["masks_input"] or cell.method in by_maps
    }
    tables = summarise(predictions, explained=explained)
    asked = load(Scoring, suite.scoring_yaml).explainers
    tables.write(suite.results)
    metrics = metric_sheet((row.metric for row in tables.rows), {suffix(name): name for name in asked})
    write_csv(suite.results / "metrics.csv", metrics, METRIC_COLUMNS)
    dials = {cell: facts[cell].get("bias_settings", {}) for cell in predictions}
    slopes = slope_rows(
        predictions, dials, {cell: facts[cell].get("registered_bias", cell.bias) for cell in predictions}
    )
    write_csv(suite.results / "slopes.csv", slopes, SLOPE_COLUMNS)
    decide_claims(suite)
    lines = [*shown(predictions), *PROTOCOL]
    write_json(suite.results / "suite.json", describe(suite.name, list(settings.seeds), list(facts.values()), lines))
    for page in write_report(suite.results):
        print(page)


def decide_claims(suite: paths.SuitePaths) -> None:
    """Decides the suite's claims on the files just written."""
    scores, summary = (read_rows(suite.results / name) for name in ("scores.csv", "summary.csv"))
    decided = [claims.decide(claim, scores, summary) for claim in claims.read_claims(suite.claims_yaml)]
    write_csv(suite.results / "claims.csv", decided, claims.COLUMNS)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(report, parser)
