"""Check a folder of images with a table (index.csv) before you trust a number that is made from it.

The table has the columns file,label,source,split,patient,mask. Reported are counts, missing and bad masks, unreadable
files, duplicates and patients across splits, and how well a linear model tells the class from the background alone.
Exit code: 0 = clean, 1 = a fault, a leak, or no table (with --strict also where the background tells the class).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.files import write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="it holds images and index.csv")
    parser.add_argument("--csv", default="", metavar="NAME", help="the table (default: index.csv, else manifest.csv)")
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME=OURS",
        help="what the table calls a split: train, val, test or external (test_id, test_ext, valid... are known)",
    )
    parser.add_argument("--strict", action="store_true", help="the shortcut alarm is a fault, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there")


def run(arguments: argparse.Namespace) -> None:
    """Prints the report; ends the program with 1 where something is wrong."""
    from benchmark.data.check import check_folder
    from benchmark.data.check.show import show

    report = check_folder(arguments.folder, arguments.csv, words_of(arguments.split))
    show(report)
    if arguments.json:
        write_json(arguments.json, report.as_json())
    if code := report.exit_code(strict=arguments.strict):
        raise SystemExit(code)


def words_of(pairs: list[str]) -> dict[str, str]:
    """``NAME=OURS`` as a table.

    Raises:
        BenchmarkError: If one is not of that form.
    """
    for pair in pairs:
        if pair.count("=") != 1:
            raise BenchmarkError("--split", got=pair, expected="NAME=OURS, such as test_id=test")
    return dict(pair.split("=") for pair in pairs)
