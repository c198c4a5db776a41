"""Stage report: a suite's scores.csv, summary.csv and claims.csv from its stored predictions, then its pages."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

from benchmark import __version__, claims, paths
from benchmark.api import SCORE_COLUMNS
from benchmark.files import read_json, write_json
from benchmark.predictions import Predictions
from benchmark.report.page import write_report
from benchmark.report.protocol import PROTOCOL, shown
from benchmark.summary import SUMMARY_COLUMNS, summarise, write_csv
from pipelines import program


def report(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    settings = suite.suite()
    facts = {cell: read_json(suite.facts(cell)) for cell in settings.cells()}
    predictions = {c: Predictions.read(suite.predictions(c)) for c, fact in facts.items() if "skipped" not in fact}
    scores, summary = summarise(predictions)
    write_csv(suite.results / "scores.csv", scores, SCORE_COLUMNS)
    write_csv(suite.results / "summary.csv", summary, SUMMARY_COLUMNS)
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


def describe(suite: str, seeds: list[int], facts: list[dict[str, Any]], protocol: list[str]) -> dict[str, Any]:
    """suite.json: what the pages need to know beside numbers."""
    cells = [fact for fact in facts if "skipped" not in fact]
    return {
        "suite": suite,
        "version": __version__,
        "seeds": seeds,
        "code": ", ".join(sorted({cell["code"] for cell in cells})),
        "packages": cells[0]["packages"] if cells else {},
        "protocol": protocol,
        "cells": cells,
        "skipped": [fact for fact in facts if "skipped" in fact],
    }


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(report, parser)
