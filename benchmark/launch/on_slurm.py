"""The engine of a SLURM cluster: arrays of jobs by submitit; data goes by the shared folder.

A job that SLURM preempts or that runs out of time is queued again and goes on from its last epoch.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.launch.remote import leave_marker, place_of, run
from benchmark.launch.work import Outcome, Work
from benchmark.paths import RUNS

FOLDER = RUNS / ".work" / "launch" / "submitit"
MINUTES = 24 * 60
"""Of a job, unless --option time=… says otherwise."""
GONE = ("CANCELLED", "BOOT_FAIL", "DEADLINE", "NODE_FAIL", "PREEMPTED", "REVOKED", "INTERRUPTED")
"""States of a job whose machine went, not its command."""
STUCK, STUCK_S = ("PREEMPTED", "UNKNOWN"), 600.0
"""States in which submitit waits for ever: a job may pass through them, but not stay; and seconds it may stay."""
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""By which SLURM ends or warns all processes of a job; a command that one of them ended did not fail."""
LOOK_S = 3.0
WHOLE = ("time", "array_parallelism", "signal_delay_s")
"""Options that submitit computes with; time is in minutes."""


class Job:
    """The function of one job; submitit pickles it."""

    def __init__(self, work: Work, root: str, marker: str, gpu: str | None, here: bool) -> None:
        self.work, self.root, self.marker, self.gpu, self.here = work, root, marker, gpu, here

    def __call__(self) -> dict[str, Any]:
        return asdict(run(self.work, self.root, self.marker, self.gpu, heed_sigterm=self.here))

    def checkpoint(self) -> Any:
        """What is queued again when time is over or the job is preempted: the same, for training resumes."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass
class Queued:
    """A job of SLURM; ``stuck`` since it was first seen in a state that must not last."""

    work: Work
    job: Any
    since: float
    stuck: float | None = None


class OnSlurm:
    """Jobs of SLURM.

    Args:
        address: ``None``: this machine's SLURM; ``local``: processes of this machine, to try it out.
        jobs: Jobs at once at most.
        cpus: Cores of a job.
        gpus: GPUs of a job.
        options: Of sbatch, such as ``partition=gpu``.

    Raises:
        BenchmarkError: If submitit or SLURM is not there, or an option is bad.
    """

    name = "slurm"

    def __init__(self, address: str | None, jobs: int, cpus: int, gpus: int, options: Sequence[str] = ()) -> None:
        try:
            import submitit
        except ImportError as error:
            do = 'Install it: pip install "shortcut-bench[slurm]".'
            raise BenchmarkError("submitit is not installed", do=do) from error
        if address not in (None, "local"):
            raise BenchmarkError("--address", got=address, expected="local, or nothing, with engine slurm")
        if address is None and not shutil.which("sbatch"):
            do = "Run it where SLURM's commands are, or try it with --address local."
            raise BenchmarkError("there is no sbatch on this machine", do=do)
        pairs = dict(option.partition("=")[::2] for option in options)
        if bad := [option for option in options if not all(option.partition("="))]:
            raise BenchmarkError("--option", got=bad[0], expected="key=value, such as partition=gpu")
        if bad := [key for key in WHOLE if not pairs.get(key, "0").isdecimal()]:
            unit = "minutes, as a whole number, such as time=240" if bad[0] == "time" else "a whole number"
            raise BenchmarkError("--option", got=f"{bad[0]}={pairs[bad[0]]}", expected=unit)
        self.here, self.look_s = address == "local", 0.1 if address == "local" else LOOK_S
        self.slots, self.root, self.marker = jobs, str(Path.cwd()), leave_marker(FOLDER.parent)
        self.gpu = "" if not gpus else None
        self.executor = submitit.AutoExecutor(folder=FOLDER, cluster=address or "slurm", slurm_max_num_timeout=100)
        given = {f"slurm_{key}": int(value) if value.isdigit() else value for key, value in pairs.items()}
        try:
            self.executor.update_parameters(
                name="shortcut-bench",
                timeout_min=MINUTES,
                cpus_per_task=cpus,
                gpus_per_node=gpus or None,
                tasks_per_node=1,
                nodes=1,
                **{"slurm_array_parallelism": jobs, "slurm_srun_args": ["--cpus-per-task", str(cpus)], **given},
            )
        except (NameError, TypeError, ValueError) as error:
            raise BenchmarkError("--option", got=" ".join(options), expected=str(error).splitlines()[0]) from error

    def submit(self, works: Sequence[Work]) -> list[Queued]:
        for work in works:
            place_of(work).unlink(missing_ok=True)
        with self.executor.batch():  # one sbatch array
            jobs = [self.executor.submit(Job(work, self.root, self.marker, self.gpu, self.here)) for work in works]
        return [Queued(work, job, time.monotonic()) for work, job in zip(works, jobs, strict=True)]

    def poll(self, handle: Queued) -> Outcome | None:
        if not handle.job.done():
            return self._stuck(handle)
        try:
            outcome = Outcome(**handle.job.result())
        except Exception as error:  # submitit's own, or what was raised there
            state = str(handle.job.state)
            gone, told = state.startswith(GONE), str(error).strip().splitlines()
            outcome = self._failed(handle, gone, f"{state}: {told[-1] if told else error!r}")
        if not self.here and -outcome.code in SIGNALS:
            outcome = replace(outcome, lost=True, reason=f"SLURM ended it by {signal.Signals(-outcome.code).name}")
        if outcome.lost:
            handle.job.cancel(check=False)  # SLURM may have queued it again by itself: it would run beside the next
        return outcome

    def _stuck(self, handle: Queued) -> Outcome | None:
        """Gives a job up that stays in a state of which submitit never says that it is over."""
        now, state = time.monotonic(), str(handle.job.state)
        if not state.startswith(STUCK):
            handle.stuck = None
            return None
        handle.stuck = now if handle.stuck is None else handle.stuck
        if now - handle.stuck < STUCK_S:
            return None
        if handle.job.done(force_check=True) or not str(handle.job.state).startswith(STUCK):  # the state was an old one
            handle.stuck = None
            return None
        handle.job.cancel(check=False)
        return self._failed(handle, True, f"SLURM calls it {state} for {STUCK_S / 60:.0f} minutes")

    def _failed(self, handle: Queued, lost: bool, reason: str) -> Outcome:
        return Outcome(1, time.monotonic() - handle.since, self.where(handle), lost=lost, reason=reason)

    def where(self, handle: Queued) -> str:
        place = place_of(handle.work)
        return place.read_text(encoding="utf-8") if place.is_file() else ""

    def cancel(self, handles: Sequence[Queued]) -> None:
        for handle in handles:
            handle.job.cancel(check=False)
        deadline = time.monotonic() + 60
        while handles and time.monotonic() < deadline:
            handles[0].job.done(force_check=True)  # asks SLURM once for all
            if all(handle.job.done() for handle in handles):
                break
            time.sleep(self.look_s)

    def close(self) -> None:
        """SLURM stays."""
