"""Peak memory of an action above what is there before it.

On the CPU it is the peak of the resident set (VmHWM in Linux's /proc/self/status, which writing 5 to
/proc/self/clear_refs resets), in a process whose allocator hands freed memory back at once; on a GPU, what PyTorch
allocated.

A process has its allocator's settings from its start only, so :func:`measured_by` starts one with the right ones; it
forks a child for each measurement (:func:`in_child`), when everything is imported and nothing computed yet.
"""

from __future__ import annotations

import ctypes
import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError

RETURN_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}


def environment() -> dict[str, str]:
    """That of a process that measures: this one's, with no other settings of the allocator than ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | RETURN_AT_ONCE


def measured_by(module: str, *arguments: str) -> Any:
    """What ``python -m module`` prints as JSON, in an environment that measures.

    Raises:
        BenchmarkError: If it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchmarkError("peak memory could not be measured", do="The reason is above.")
    return json.loads(done.stdout)


def in_child(what: str, measure: Callable[..., int], *arguments: Any) -> int:
    """What ``measure`` returns in a forked child of its own.

    Raises:
        BenchmarkError: If the child failed; ``what`` says which.
    """
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_send, args=(theirs, measure, *arguments))
    child.start()
    theirs.close()
    try:
        found: int = ours.recv()
    except EOFError as error:
        raise BenchmarkError(f"a training step of {what} failed", do="The reason is above.") from error
    finally:
        child.join()
    return found


def _send(result: Connection, measure: Callable[..., int], *arguments: Any) -> None:
    result.send(measure(*arguments))


def status(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"/proc/self/status has no {field}", do="Measure on Linux.")
    return 1024 * int(found[1])


def peak(action: Callable[[], object], release: Callable[[], object], device: str = "cpu") -> int:
    """Bytes that an action needs beyond what is there before it and stays.

    Args:
        action: Called twice; the first call sets up what only a first one does.
        release: Lets go what the first call left behind.
        device: ``cpu``, or ``cuda`` for what PyTorch allocates there.
    """
    action()
    release()
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    action()
    return status("VmHWM") - before
