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
from benchmark.summary import SUMMARY_COLUMNS, summarise, write_csv
from pipelines import program

PROTOCOL = (
    "All variants show the same test images: iid with marks as in training; ood without a mark; deceiving with the "
    "mark of another class.",
    "The epoch is chosen by the method's own training objective on the validation images, which carry the training's "
    "bias: no method is tuned or stopped on ood or deceiving images.",
    "Intervals are 95 % and cover new test units and new training seeds: bootstrap variance over units plus variance "
    "over seeds, t quantile with Satterthwaite degrees of freedom.",
    "Heatmap scores explain the label's logit on 100 test images drawn once; integrated gradients judge, LRP is shown "
    "beside it because methods were trained through it.",
)


def report(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    settings = suite.suite()
    cells = settings.cells()
    scores, summary = summarise({cell: Predictions.read(suite.predictions(cell)) for cell in cells})
    write_csv(suite.results / "scores.csv", scores, SCORE_COLUMNS)
    write_csv(suite.results / "summary.csv", summary, SUMMARY_COLUMNS)
    decide_claims(suite)
    facts = [read_json(suite.facts(cell)) for cell in cells]
    write_json(suite.results / "suite.json", describe(suite.name, list(settings.seeds), facts))
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


def describe(suite: str, seeds: list[int], facts: list[dict[str, Any]]) -> dict[str, Any]:
    """suite.json: what the pages need to know beside numbers."""
    return {
        "suite": suite,
        "version": __version__,
        "seeds": seeds,
        "code": ", ".join(sorted({cell["code"] for cell in facts})),
        "packages": facts[0]["packages"],
        "protocol": list(PROTOCOL),
        "cells": facts,
    }


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(report, parser)
