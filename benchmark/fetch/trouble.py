"""What can go wrong with a download, and the one sentence that it ends in."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal

from benchmark.errors import BenchmarkError
from benchmark.fetch.origin import Origin, RemoteFile

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NeedsCredentials(BenchmarkError):
    """A restricted data set whose files are not there yet."""


class DiskFull(BenchmarkError):
    """There is no room for what comes."""


class Stopped(Exception):
    """Another download failed for good, or a person stopped the program."""


class Transient(Exception):
    """May be over at the next attempt. ``wait``: seconds that the server asks for."""

    def __init__(self, came: str, wait: float = 0) -> None:
        super().__init__(came)
        self.wait = wait


class Refused(Exception):
    """This URL does not have the file. ``missing``: it says so itself."""

    def __init__(self, came: str, missing: bool = False) -> None:
        super().__init__(came)
        self.missing = missing


@dataclass(frozen=True)
class Note:
    """What came from one place."""

    place: str
    came: str
    missing: bool = False


class Unavailable(Exception):
    """No place has the file."""

    def __init__(self, file: RemoteFile, notes: Sequence[Note]) -> None:
        super().__init__(file.name)
        self.file, self.notes = file, notes


def expected(file: RemoteFile, sha256: str = "") -> str:
    """The right file, as far as it is known."""
    facts = [f"{file.size} bytes"] if file.size else []
    if sha256 or file.sha256 != "unknown":
        facts.append(f"sha256 {sha256 or file.sha256}")
    if file.md5:
        facts.append(f"md5 {file.md5}")
    return f"{file.name} of " + ", ".join(facts) if facts else f"{file.name}"


def unavailable(failed: Sequence[Unavailable], origin: Origin, dataset: str, cache: Path) -> BenchmarkError:
    """One error for all files that no place has: what came from each, and the manual route."""
    names = ", ".join(one.file.name for one in failed)
    came = "; ".join(f"{note.place}: {note.came}" for one in failed for note in one.notes)
    places = ", ".join(str(cache / one.file.name) for one in failed)
    return BenchmarkError(
        f"{names} of data set {dataset} cannot be had",
        got=came,
        expected="; ".join(expected(one.file) for one in failed),
        do=f"Try again later, or name a mirror (--mirror URL|DIR). Or download by hand from {origin.homepage}, put it "
        f"at {places}, and run again: what lies there is checked in the same way. What came whole is kept.",
    )


@contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Turns a full disk, a quota or a limit of the size of files into :class:`DiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise no_room(path, f"{error.strerror}, {decimal(free(path))} free") from error


def free(path: Path) -> int:
    """Free bytes of the file system that holds the path, or will hold it."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def no_room(path: Path, got: str, needed: str | None = None) -> DiskFull:
    """The error of a full disk."""
    return DiskFull(
        f"no room on the disk for {path}",
        got=got,
        expected=needed,
        do="Make room and run again: what has come so far is kept and continued.",
    )
