"""Freshness gate: are the committed results those of the committed code, settings and data?

Runs `dvc repro -P --dry --allow-missing -k` and searches what it prints: DVC's exit code is 0 even when stages would
run. A suite that is known to be stale says so, and why, in pipelines/<suite>/STALE.md: it is printed and does not fail.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from pipelines import program

STALE = re.compile(r"^(Running stage .*|.*ERROR.*|Stage .* will be skipped.*)$", re.MULTILINE)
COMMAND = (sys.executable, "-m", "dvc", "repro", "-P", "--dry", "--allow-missing", "-k")


def stale_lines(output: str) -> list[str]:
    """The lines of DVC's output that say a stage is not fresh."""
    return [match.group(0).strip() for match in STALE.finditer(output)]


def declared() -> list[Path]:
    """The files that say of their suite that it is stale, and why."""
    return sorted(Path("pipelines").glob("*/STALE.md"))


def undeclared(lines: list[str], notes: list[Path]) -> list[str]:
    """The lines about stages of suites that do not say that they are stale."""
    known = [f"{note.with_name('dvc.yaml').as_posix()}:" for note in notes]
    return [line for line in lines if not any(pipeline in line for pipeline in known)]


def fresh(arguments: argparse.Namespace) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    found, notes = stale_lines(done.stdout + done.stderr), declared()
    lines = undeclared(found, notes)
    if lines or (done.returncode and not found):
        print("\n".join(lines) or done.stderr, file=sys.stderr)
        sys.exit(
            "error: results are stale. Run `make repro` (for stages written `<file>:<stage>`, `dvc repro <file>`) and "
            "commit dvc.lock and results/ with your change."
        )
    but = f", but for {', '.join(note.parent.name for note in notes)}" if notes else ""
    print(f"fresh: every committed result belongs to the committed code, settings and data{but}")
    for note in notes:
        print(f"{note}: {' '.join(note.read_text(encoding='utf-8').split())}")


if __name__ == "__main__":
    program.run(fresh, program.parser(__doc__))
