"""Files that appear whole or not at all, and the hashes that name their content."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError

HOLDER = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}", re.DOTALL)
"""What a temporary folder is called."""
LITTLE = 2**16
"""Free bytes below which a disk is full, whatever a library says of it."""
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)

_swept: set[Path] = set()


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yields a temporary sibling of ``target``; renames it onto ``target`` when the block succeeds.

    Works for a file and for a folder (an existing folder is replaced). A failed block leaves the old
    ``target`` as it was and no temporary name behind. What a killed process left in the folder is removed.

    Raises:
        BenchmarkError: If the folder cannot be written, or its disk is full.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        holder, lock = _hold(target)
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error
    try:
        fresh = holder / target.name
        yield fresh
        _put(fresh, target, holder)
    except Exception as error:
        if told := _of_the_disk(error, target.parent):
            raise _unwritable(target, told) from error
        raise
    finally:
        shutil.rmtree(holder, ignore_errors=True)
        os.close(lock)


def _hold(target: Path) -> tuple[Path, int]:
    """A new folder beside the target, and the lock on it that ends with this process."""
    while True:
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        with suppress(FileNotFoundError):
            lock = os.open(holder, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: then nothing is ever swept there
                fcntl.flock(lock, fcntl.LOCK_EX)
            if holder.is_dir():  # nobody swept it before it was locked
                return holder, lock
            os.close(lock)


def _sweep(folder: Path) -> None:
    """Removes what killed processes left in a folder: once a process, since a folder may hold a million files."""
    if folder in _swept:
        return
    _swept.add(folder)
    for left in [entry for entry in os.scandir(folder) if entry.name.startswith(".")]:
        known = HOLDER.fullmatch(left.name)
        with suppress(OSError):  # somebody else is at it, or it is gone
            if known and left.is_dir(follow_symlinks=False) and left.stat().st_mode & 0o777 == 0o700:
                _clear(Path(left.path), folder / known["name"])


def _clear(holder: Path, target: Path) -> None:
    """Removes a holder that nobody holds; a folder that its writer had only moved aside goes back to its place."""
    lock = os.open(holder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = {path.name for path in holder.iterdir()}
        aside = {int(name[3:]): name for name in names if re.fullmatch(r"old\d+", name)}
        if names <= {target.name, *aside.values()}:
            if aside and not target.exists():
                (holder / aside[max(aside)]).replace(target)
            shutil.rmtree(holder)
    finally:
        os.close(lock)


def _put(fresh: Path, target: Path, holder: Path) -> None:
    """Renames; a folder that is in the way moves aside first, as often as another process puts one there."""
    for attempt in itertools.count():
        aside = holder / f"old{attempt}"
        if fresh.is_dir():
            with suppress(FileNotFoundError):
                target.replace(aside)
        try:
            fresh.replace(target)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                if aside.exists():
                    aside.replace(target)
                raise


def _of_the_disk(error: Exception, folder: Path) -> str:
    """What a disk has to do with an error; nothing if it has nothing. Libraries that write hide it in their own."""
    if isinstance(error, BenchmarkError):
        return ""
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
        return os.strerror(code or errno.ENOSPC)
    if code in READ_ONLY:
        return str(error)
    return os.strerror(errno.ENOSPC) if code is None and shutil.disk_usage(folder).free < LITTLE else ""


def _unwritable(target: Path, got: str) -> BenchmarkError:
    return BenchmarkError(
        f"{target} cannot be written",
        got=got,
        do="Free space, or make the folder writable, and run the same command again: it goes on.",
    )


def write_text(target: Path, text: str) -> None:
    """Writes UTF-8 text with Unix line ends, atomically."""
    with atomic_path(target) as fresh:
        fresh.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, value: Any) -> None:
    """Writes sorted, indented JSON, atomically; NaN is refused."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(source: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(Path(source).read_text(encoding="utf-8"))


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
