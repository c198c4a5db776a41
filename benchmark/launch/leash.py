"""Runs a command that ends with the process that started it, on the cores it was given.

    python -m benchmark.launch.leash PARENT CORES COMMAND [ARGUMENT ...]

``PARENT`` is the process id of who starts it, ``CORES`` numbers with commas or ``-`` for any. A program of its own, for
between fork and exec of a process with threads nothing of Python is safe.
"""

from __future__ import annotations

import os
import sys

from benchmark.program import die_with_parent


def main(arguments: list[str]) -> None:
    """Becomes the command."""
    parent, cores, *command = arguments
    die_with_parent()  # kept by exec
    if os.getppid() != int(parent):
        sys.exit("error: the process that started this one has ended")
    if cores != "-":
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"error: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
