"""Tables of a suite from the files in git: pages, LaTeX, CSV, JSON, and what moved since a commit.

Reads results/SUITE, trains and scores nothing, and imports no torch: about a second. Without --out the pages are
written into the results folder itself, and nothing else is.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmark.errors import BenchmarkError

FORMATS = ("html", "md", "latex", "csv", "json")
PAGES = ("html", "md")
EXAMPLES = """
examples:
  python -m benchmark.report                                    results/default/report.html and report.md, anew
  python -m benchmark.report default methods --out /tmp/pages   two suites, a folder each
  python -m benchmark.report --format latex --out paper         paper/report.tex, which compiles, and paper/tables/*.tex
  python -m benchmark.report --format csv > numbers.csv         one row a method, variant and metric
  python -m benchmark.report --methods erm,isnet_path --metrics accuracy,behaviour --format html --out /tmp/some
  python -m benchmark.report --against HEAD~1                   what moved beyond its interval since that commit
  python -m benchmark.report methods --against default          the same between two suites

docs/report.md has all of it: what the formats hold, and how to read the tables. Exit codes: 0 written, 1 bad input, 2 a
command line that cannot be meant.
"""


def parser() -> argparse.ArgumentParser:
    """The options."""
    whole = argparse.ArgumentParser(
        prog="python -m benchmark.report",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument(
        "suites", nargs="*", default=["default"], metavar="SUITE", help="a suite under results/, or a results folder"
    )
    many = {"action": "extend", "type": names_of, "default": None}
    whole.add_argument("--format", **many, metavar="NAMES", help=f"of {', '.join(FORMATS)}; default html,md")  # type: ignore[arg-type]
    whole.add_argument("--out", type=Path, metavar="DIR", help="write here; of several suites into a folder each")
    whole.add_argument("--methods", **many, metavar="NAMES", help="only these, in the order of the tables")  # type: ignore[arg-type]
    whole.add_argument(
        "--metrics",
        **many,  # type: ignore[arg-type]
        metavar="NAMES",
        help="only these, or families: generalization, attribution, behaviour, guard",
    )
    whole.add_argument(
        "--against",
        metavar="WHAT",
        help="a git revision, a suite or a folder: print what moved beyond both intervals (md, csv or json)",
    )
    return whole


def names_of(text: str) -> list[str]:
    """The names in ``a,b``."""
    return [name.strip() for name in text.split(",") if name.strip()]


def refused(options: argparse.Namespace) -> str:
    """Why the options cannot be meant together; empty if they can."""
    formats = options.format
    if unknown := [name for name in formats if name not in FORMATS]:
        return f"argument --format: invalid choice: {unknown[0]!r} (choose from {', '.join(FORMATS)})"
    if options.against and set(formats) & {"html", "latex"}:
        return "--against is written as md, csv or json"
    if options.out:
        return ""
    if options.against:
        alone = len(formats) == 1 and (formats == ["md"] or len(options.suites) == 1)
        return "" if alone else "several formats need --out DIR"
    if set(formats) <= set(PAGES):
        some = options.methods or options.metrics
        return "a selection needs --out DIR: without it, a part would replace the whole page" if some else ""
    alone = len(formats) == 1 and formats != ["latex"] and len(options.suites) == 1
    return "" if alone else "latex, several formats beside pages, and csv or json of several suites need --out DIR"


def main(arguments: list[str] | None = None) -> int:
    """Writes what was asked for; 0 when it is written, 1 with one line on stderr when the input is bad."""
    command = parser()
    options = command.parse_args(arguments)
    options.format = list(dict.fromkeys(options.format or (["md"] if options.against else PAGES)))
    if why := refused(options):
        command.error(why)
    from benchmark.report.write import write_moves, write_suites  # late: --help needs none of it

    work: Callable[[argparse.Namespace], str] = write_moves if options.against else write_suites
    try:
        print(work(options), end="")
        sys.stdout.flush()
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # a reader such as `head` that had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say when Python ends
    return 0


if __name__ == "__main__":
    sys.exit(main())
