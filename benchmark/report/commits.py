"""What git knows of a results folder: which commit last changed each cell, and what a file was at a revision.

The commits are asked only for reports that lie elsewhere: what is committed must not depend on history.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.report.records import Results

CHANGED = " (changed since)"
"""Follows the commit of predictions that differ from what is committed."""


def commits(results: Results) -> dict[str, str]:
    """Cell to short hash of the commit; a cell that git does not know is left out, all of them without git."""
    log = ("log", "--format=commit %h", "--name-only", "--relative", "--", "predictions")
    found: dict[str, str] = {}
    commit = ""
    for line in (_git(results.folder, *log) or "").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line:
            found.setdefault(line, commit)  # the newest commit comes first
    difference = _git(results.folder, "diff", "--name-only", "--relative", "HEAD", "--", "predictions")
    changed = set((difference or "").splitlines())
    keys = [run.cell.key for task in results.tasks for run in task.runs]
    files = {key: f"predictions/{key}.npz" for key in keys}
    return {key: found[name] + CHANGED * (name in changed) for key, name in files.items() if name in found}


def at_revision(folder: Path, revision: str, name: str) -> str:
    """The text of a file of a folder at a revision.

    Raises:
        BenchmarkError: If the folder is in no git checkout, the revision is unknown, or it has no such file.
    """
    if _git(folder, "rev-parse", "--show-toplevel") is None:
        raise BenchmarkError(
            f"revision {revision!r} of {folder}",
            expected="a suite, a folder, or a results folder in a git checkout, with git installed",
        )
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise BenchmarkError("unknown suite, folder or git revision", got=revision, do="`git log` lists revisions.")
    text = _git(folder, "show", f"{commit.strip()}:./{name}")
    if text is None:
        raise BenchmarkError(
            f"{name} of {folder} at {revision}",
            got="no such file",
            expected="a commit that has it",
            do=f"`git log -- {folder / name}` lists those that changed it.",
        )
    return text


def _git(folder: Path, *arguments: str) -> str | None:
    """What a git command says in a folder; ``None`` where it fails, or there is no git."""
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
