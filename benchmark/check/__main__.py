"""Tells whether published numbers still come out.

    python -m benchmark.check                              the default suite's tables, from its stored predictions
    python -m benchmark.check --suite all                  those of every suite
    python -m benchmark.check --tier recompute retrain     train a few models again, too
    python -m benchmark.check --record                     make the present numbers the reference, on purpose

Tier recompute: every table of the suite is made again from its predictions and must be equal, and its summary must be
within the tolerances of results/reference/<suite>.csv. Tier retrain: the models of pipelines/configs/regression.yaml
are trained again and must come out within the prediction bands of the stored ones.

Exit code 0: all as recorded; 1: something moved; 2: bad input.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark import paths
from benchmark.cell import check_name
from benchmark.check import show
from benchmark.check.found import Left, Part, count
from benchmark.config import load
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.program import die_with_parent

ALL = "all"

DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error)
"""What reading a file raises that is not what it should be; a JSON error is a ValueError, as text that is not UTF-8."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    found = argparse.ArgumentParser(
        prog="python -m benchmark.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument(
        "--suite", nargs="+", default=["default"], metavar="S", help=f"default: default; {ALL}: every one"
    )
    found.add_argument("--tier", nargs="+", default=["recompute"], choices=("recompute", "retrain"))
    found.add_argument("--github", action="store_true", help="write a Markdown summary for a pull request")
    found.add_argument(
        "--record", action="store_true", help="make the present summary the reference; says why in its commit"
    )
    found.add_argument(
        "--workers", type=at_least_1, metavar="N", help="trainings at once (default: by the number of cores)"
    )
    return found


def at_least_1(text: str) -> int:
    """A number of processes."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"got {text}, expected 1 or more")
    return number


def check(options: argparse.Namespace) -> Iterator[Part]:
    """Runs the tiers on the suites.

    Raises:
        BenchmarkError: On bad input, a damaged file, or numbers that are to be recorded and cannot be recomputed.
    """
    for name in suites(options.suite):
        try:
            yield from check_suite(paths.SuitePaths(check_name("suite", name)), options)
        except BenchmarkError:
            raise
        except DAMAGE as error:
            got = f"{type(error).__name__}: {error}"
            raise BenchmarkError(f"a file of suite {name} is missing or damaged", got=got) from error


def check_suite(suite: paths.SuitePaths, options: argparse.Namespace) -> Iterator[Part]:
    """Runs the tiers on one suite."""
    from benchmark.check import recompute, reference  # not for --help: they take a second

    suite.suite()
    if (note := suite.claims_yaml.with_name("STALE.md")).is_file():
        reason = " ".join(note.read_text(encoding="utf-8").split())
        yield Part(suite.name, "stale", left=[Left(f"suite {suite.name}", f"{note}: {reason}", excused=True)])
        return
    if "recompute" in options.tier:
        part = recompute.recompute(suite)
        if options.record:
            refuse_moved(part)
            part.notes.append(f"{suite.name}: {reference.record(suite)} numbers recorded")
        yield part
        yield reference.compare_suite(suite)
    if "retrain" in options.tier:
        from benchmark.check import retrain

        settings = load(retrain.Regression, retrain.SETTINGS)
        for name in set(settings.train) - set(suites([ALL])):
            raise_unknown(f"suite in {retrain.SETTINGS}", name, suites([ALL]))
        yield retrain.retrain(suite, settings, options.workers)


def refuse_moved(part: Part) -> None:
    """Nothing is recorded that does not come out of the stored predictions.

    Raises:
        BenchmarkError: If something moved, or was left out that was not skipped.
    """
    if strange := [left for left in part.left if not left.excused]:
        raise BenchmarkError(f"{part.suite} is not recorded: {strange[0].what} was left out", got=strange[0].why)
    if part.moved:
        raise BenchmarkError(
            f"{part.suite} is not recorded: its tables are not those of its predictions",
            got=show.one(part.moved[0]),
            do=f"Run `dvc repro {paths.SuitePaths(part.suite).pipeline}` first.",
        )


def suites(names: Sequence[str]) -> list[str]:
    """The named suites, or all that have params."""
    if ALL not in names:
        return list(dict.fromkeys(names))
    return ["default", *sorted(file.parent.name for file in Path("pipelines").glob("*/params.yaml"))]


def main(arguments: list[str] | None = None) -> int:
    """Checks, tells, and returns the exit code."""
    command = parser()
    options = command.parse_args(arguments)
    if options.record and "recompute" not in options.tier:
        command.error("--record needs --tier recompute: only what comes out of the stored predictions is recorded")
    parts: list[Part] = []
    try:
        for part in check(options):
            print("\n".join(show.lines([part])), flush=True)
            parts.append(part)
        show.require_something(parts)
    except BenchmarkError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        if options.github:
            show.publish(show.failed(error))
        return 2
    if options.github:
        show.publish(show.markdown(parts))
    _, moved = count(parts)
    print(show.verdict(parts))
    return 1 if moved else 0


if __name__ == "__main__":
    die_with_parent()
    sys.exit(main())
