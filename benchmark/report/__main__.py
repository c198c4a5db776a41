"""``python -m benchmark.report results/default [--out DIR]``: report.md and report.html of a results folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmark.errors import BenchmarkError


def main(arguments: list[str] | None = None) -> int:
    """Writes the report; 0 when it is written, 1 with one line on stderr when the input is bad."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="results folder of a suite, such as results/default")
    parser.add_argument("--out", type=Path, help="write here instead of into the results folder")
    options = parser.parse_args(arguments)
    from benchmark.report import write_report

    try:
        written = write_report(options.folder, options.out)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in written:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
