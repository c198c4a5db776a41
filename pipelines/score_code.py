"""Stage score_code: the hash of the code that decides the scores of a suite.

Scoring depends on the hash instead of on folders of code: a mended docstring, or a metric of predictions that the
report computes, makes no cell stale; an edit of an explainer or of the relevance engine behind it makes all of them so.
Writes runs/code/scoring/<suite>.json.
"""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.config import load
from benchmark.files import write_json
from benchmark.scoring.code import scoring_hash
from benchmark.scoring.settings import Scoring
from pipelines import program


def score_code(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    write_json(suite.scoring_code, {"code": scoring_hash(load(Scoring, suite.scoring_yaml))})


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(score_code, parser)
