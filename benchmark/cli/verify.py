"""Verifies a record of a method's predictions: recomputes its scores, and shows it beside the suite's own methods.

    python -m benchmark verify record.json

Refused are other data, images, protocols and layouts, answers that are not whole, and scores that the answers do not
yield. Exit code: 0 verified, 1 refused, 2 not readable (or a wrong command line). Nothing in a record is run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("record", type=Path, help="the JSON file that `submit` wrote")
    parser.add_argument("--suite", help="refuse a record of another suite (default: the one that it names)")
    parser.add_argument("--format", choices=("text", "md"), default="text", help="of the tables (default: text)")
    parser.add_argument("--npz", type=Path, metavar="FILE", help="write its predictions as benchmark.predictions, too")


def run(options: argparse.Namespace) -> None:
    """Verifies and prints.

    Raises:
        BenchmarkError: If the record is refused.
        SystemExit: With code 2, if it cannot be read.
    """
    from benchmark.submission.beside import comparison, notes, scores
    from benchmark.submission.check import verify
    from benchmark.submission.layout import aligned, markdown
    from benchmark.submission.reading import Unreadable, read_object

    try:
        content = read_object(options.record)
    except Unreadable as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    found = verify(content, options.suite)
    record, layout = found.record, aligned if options.format == "text" else markdown
    print(
        f"verified: {record.method} on {record.task}, suite {record.suite}, seeds {', '.join(map(str, record.seeds))}; "
        f"{found.compared} claimed numbers are what the logits yield\n"
    )
    print(layout(*comparison(found), left=2), "", layout(*scores(found)), "", *notes(found), sep="\n")
    if options.npz:
        found.predictions.write(options.npz)
        print(f"\n{options.npz}: its predictions")
