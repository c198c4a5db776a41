"""What all programs share: arguments, one-line errors, and an end that comes with their parent's."""

from __future__ import annotations

import argparse
import ctypes
import signal
import sys
from collections.abc import Callable

from benchmark.errors import BenchmarkError

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Asks Linux to end this process when the one that started it ends: DVC, stopped by SIGTERM, forgets its stages."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run(stage: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parses the command line and runs the program.

    Bad input ends in one line and exit code 1, a command line that argparse refuses in its usage and 2: everywhere.
    """
    die_with_parent()
    arguments = parser.parse_args()
    try:
        stage(arguments)
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; run the same command to go on")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the program's docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
