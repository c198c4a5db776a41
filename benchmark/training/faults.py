"""What a machine refuses a training, memory or disk, told in one sentence each."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from benchmark.errors import BenchmarkError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch's errors say of a device and of the host."""


@contextmanager
def memory_told(what: str, batch_size: int) -> Iterator[None]:
    """Turns a lack of memory into one sentence.

    Raises:
        BenchmarkError: If memory ran out inside, on the device or the host.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch has an error of its own for a device, and none for the host
        text = " ".join(str(error).split())
        if isinstance(error, RuntimeError) and not any(sign in text.lower() for sign in NO_MEMORY):
            raise
        raise BenchmarkError(
            f"memory is not enough for {what}",
            got=text[:200] or type(error).__name__,
            do=f"Lower batch_size (now {batch_size}), or train fewer seeds at once (--workers).",
        ) from error


@contextmanager
def disk_told(path: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one sentence; what lay at ``path`` stays as it was.

    Raises:
        BenchmarkError: If writing inside failed for want of room or rights.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: Exception) -> BenchmarkError:
    full = any(os.strerror(code) in str(error) for code in FULL)
    room = "Free disk space" if full else "Make the folder writable"
    return BenchmarkError(
        f"{path} could not be written",
        got=getattr(error, "strerror", None) or str(error),
        do=f"{room}, then run again: it goes on from the last epoch that was kept.",
    )
