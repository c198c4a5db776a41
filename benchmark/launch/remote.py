"""What another machine does with a command: it works in the same folder, which all machines share.

The cores and GPUs are those that its scheduler gave; what runs there says so in a file beside the log.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from benchmark.launch import child
from benchmark.launch.cores import taken
from benchmark.launch.work import Outcome, Work


def leave_marker(folder: Path) -> str:
    """Leaves a file that only a machine with the same folder can read; returns its name and content as one text."""
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(8)
    (folder / "shared").write_text(token, encoding="utf-8")
    return f"{folder / 'shared'}={token}"


def sees(root: str, marker: str) -> str:
    """Why this machine does not see the launching machine's folder; empty if it does."""
    name, token = marker.rsplit("=", 1)
    try:
        found = (Path(root) / name).read_text(encoding="utf-8")
    except OSError as error:
        return f"{socket.gethostname()} does not see {root}: {error.strerror}"
    return "" if found == token else f"{socket.gethostname()} sees another folder under {root}"


def place_of(work: Work) -> Path:
    """The file that names the machine where a command runs."""
    return work.log.with_suffix(".where")


def run(
    work: Work, root: str, marker: str, gpu: str | None = None, name: str = "", heed_sigterm: bool = True
) -> Outcome:
    """Runs a command to its end, and ends it where this process is asked to end.

    Args:
        work: The command.
        root: The project's root, the same on every machine.
        marker: What :func:`leave_marker` returned.
        gpu: What ``CUDA_VISIBLE_DEVICES`` is set to; ``None`` leaves what the scheduler set.
        name: Of the machine; by default its host name.
        heed_sigterm: Whether SIGTERM ends the command; not in a job of SLURM, where submitit has its own handler, which
            waits for the signal that tells it to queue the job again.
    """
    if why := sees(root, marker):
        return Outcome(1, 0.0, socket.gethostname(), lost=True, reason=why)
    os.chdir(root)
    if root not in sys.path:
        sys.path.insert(0, root)
    if heed_sigterm and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    since = time.monotonic()
    with taken(work.cpus) as cores:
        where = f"{name or socket.gethostname()} {f'gpu {gpu}' if gpu else 'core ' + ','.join(map(str, cores))}"
        place_of(work).parent.mkdir(parents=True, exist_ok=True)
        place_of(work).write_text(where, encoding="utf-8")
        process = child.start(work, gpu, cores)
        try:
            while process.poll() is None:
                time.sleep(0.05)  # not wait(): a request to end must find Python at work
        finally:
            child.end([process])
    return Outcome(process.returncode, time.monotonic() - since, where)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
