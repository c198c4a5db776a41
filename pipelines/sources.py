"""Stage sources: a suite's predictions hospital by hospital, results/<suite>/sources.csv, from what git holds."""

from __future__ import annotations

import argparse

from benchmark import paths
from benchmark.sources import SOURCE_COLUMNS, source_rows
from benchmark.stored import read_stored
from benchmark.tables import write_csv
from pipelines import program


def sources(arguments: argparse.Namespace) -> None:
    suite = paths.SuitePaths(arguments.suite)
    rows = source_rows(read_stored(suite).predictions)
    write_csv(suite.results / "sources.csv", rows, SOURCE_COLUMNS)
    for row in rows:
        if row.metric == "accuracy":
            where = f"{row.dataset}-{row.bias}-{row.method} {row.variant} {row.source} (classes {row.classes})"
            print(f"{where}: accuracy {row.value:.3f} [{row.low:.3f}, {row.high:.3f}], {row.n_units} units")


if __name__ == "__main__":
    parser = program.parser(__doc__)
    parser.add_argument("suite", nargs="?", default="default")
    program.run(sources, parser)
