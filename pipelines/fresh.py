"""Freshness gate: are the committed results those of the committed code, settings and data?

Runs `dvc repro -P --dry --allow-missing -k` and searches what it prints: DVC's exit code is 0 even when stages would
run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from pipelines import program

STALE = re.compile(r"^(Running stage .*|.*ERROR.*|Stage .* will be skipped.*)$", re.MULTILINE)
COMMAND = (sys.executable, "-m", "dvc", "repro", "-P", "--dry", "--allow-missing", "-k")


def stale_lines(output: str) -> list[str]:
    """The lines of DVC's output that say a stage is not fresh."""
    return [match.group(0).strip() for match in STALE.finditer(output)]


def fresh(arguments: argparse.Namespace) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    lines = stale_lines(done.stdout + done.stderr)
    if lines or done.returncode:
        print("\n".join(lines) or done.stderr, file=sys.stderr)
        sys.exit(
            "error: results are stale. Run `make repro` (for stages written `<file>:<stage>`, `dvc repro <file>`) and "
            "commit dvc.lock and results/ with your change."
        )
    print("fresh: every committed result belongs to the committed code, settings and data")


if __name__ == "__main__":
    program.run(fresh, program.parser(__doc__))
