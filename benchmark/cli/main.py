"""The command line: its commands, and errors in one line."""

from __future__ import annotations

import argparse
import sys

from benchmark.cli import add, check_data, launch, listing, power, preview, rescore, scaffold, submit, verify
from benchmark.errors import BenchmarkError

DESCRIPTION = (
    "Lists what there is, adds to a suite, runs many cells at once, shows biases, checks data, plans seeds, scores by "
    "your own metric, takes others' predictions and verifies them, and starts a package of your own."
)
COMMANDS = {
    "list": listing,
    "launch": launch,
    "add": add,
    "preview": preview,
    "check-data": check_data,
    "power": power,
    "rescore": rescore,
    "submit": submit,
    "verify": verify,
    "new-method": scaffold,
}


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    whole = argparse.ArgumentParser(prog="python -m benchmark", description=DESCRIPTION)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = module.__doc__ or ""
        one = commands.add_parser(
            name,
            help=text.splitlines()[0].rstrip("."),
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.configure(one)
    return whole


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 when it worked, 1 with one line on stderr when the input or a file is bad."""
    options = parser().parse_args(arguments)
    try:
        COMMANDS[options.command].run(options)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        name = error.filename2 or error.filename
        print(f"error: {f'{name}: ' if name else ''}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0
