"""Records what makes each trained seed of a cell while it is trained: :mod:`benchmark.made`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from benchmark import paths
from benchmark.files import atomic_path, read_json, write_json
from benchmark.made import FIELDS, NO_RECORD, UNKNOWN, Entry, read_made
from benchmark.training.job import RECORD, THREADS, Job
from benchmark.training.pool import worker_count
from benchmark.training.progress import Display


def commit(root: Path | None = None) -> Entry:
    """``commit`` and ``dirty`` of a project's code and settings; empty with a reason where git knows none.

    Results and lock files do not count: a training writes them itself.
    """
    apart = ("--", ".", ":(exclude)results", ":(exclude,glob)**/dvc.lock")
    try:
        found = _git(root, "rev-parse", "--verify", "HEAD")
        return {"commit": found, "dirty": bool(_git(root, "status", "--porcelain", *apart)), "why": ""}
    except FileNotFoundError:
        why = "git is not installed"
    except subprocess.CalledProcessError as error:
        why = " ".join(error.stderr.split()) or "git failed"
    return {"commit": None, "dirty": None, "why": f"no commit: {why}"}


def _git(root: Path | None, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def cpu() -> str:
    """The processor's name as it calls itself, else its kind."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def note(job: Job) -> Path:
    """The entry of a job until its cell is finished: beside its folder."""
    return job.folder.with_name(f"{job.folder.name}.made.json")


class Watch(Display):
    """A display that notes when each seed began, and how long it took so far.

    Args:
        title: The cell's name.
        jobs: One a seed.
        workers: Trainings at once; by default as many as the cores take.
    """

    def __init__(self, title: str, jobs: Sequence[Job], workers: int | None = None) -> None:
        super().__init__(title, [job.seed for job in jobs], jobs[0].training.epochs)
        self.jobs = {job.seed: job for job in jobs}
        at_once = min(len(jobs), workers or worker_count(len(jobs), len(os.sched_getaffinity(0))))
        machine = {"cpu": cpu(), "threads": THREADS, "torch": version("torch"), "processes": 1, "at_once": at_once}
        self.common = commit() | machine

    def show(self, seed: int, done: int, epochs: int, row: dict[str, float], seconds: float) -> None:
        job = self.jobs[seed]
        began = datetime.now(UTC) - timedelta(seconds=seconds)
        known = _read(note(job))
        started = known.get("started") if known.get("job") == job.fingerprint() else None
        times = {"started": started or began.isoformat(timespec="seconds"), "seconds": round(seconds, 3)}
        write_json(note(job), {**self.common, **times, "job": job.fingerprint()})
        super().show(seed, done, epochs, row, seconds)


def entries(jobs: Sequence[Job]) -> dict[str, Entry]:
    """The entries of finished jobs, by seed."""
    return {str(job.seed): _entry(job) for job in jobs}


def _entry(job: Job) -> Entry:
    known = _read(note(job))
    if known.get("job") != job.fingerprint():
        known = {"why": NO_RECORD}
    device = read_json(job.folder / RECORD)["device"]
    return {**UNKNOWN, **{name: known[name] for name in FIELDS if name in known}, "device": device}


def adopt(job: Job) -> None:
    """Takes over a seed that another suite trained with equal settings, data, code and packages, with its entry."""
    if job.is_in(job.folder):
        return
    for other in sorted(paths.RUNS.glob(f"*/{job.cell.key}/{job.folder.name}")):
        if job.is_in(other):
            entry = read_made(paths.SuitePaths(other.parents[1].name).made(job.cell)).get(str(job.seed))
            if entry is not None:
                write_json(note(job), {**entry, "job": job.fingerprint()})
            with atomic_path(job.folder) as folder:
                shutil.copytree(other, folder)
            print(f"{job.cell.key} seed {job.seed}: as trained in {other}")
            return


def _read(path: Path) -> Entry:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
