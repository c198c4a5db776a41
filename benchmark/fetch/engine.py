"""Download a data set: whole and right, or one clear error and nothing half-made.

Files come into the folder of downloads, each as ``<name>.part`` until it is whole and its hash is right. They stay
there, so that a second fetch needs no network; their hashes are checked each time. Then they are put, or unpacked, into
the raw folder, all together at the end.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from rich.filesize import decimal

from benchmark.fetch.by_hand import look_for, needs_credentials, unpacked_by_hand
from benchmark.fetch.checksums import Checksums, Seen
from benchmark.fetch.origin import Origin, RemoteFile
from benchmark.fetch.part import Part
from benchmark.fetch.places import Downloads, named_mirror, sources
from benchmark.fetch.progress import Progress
from benchmark.fetch.put import put
from benchmark.fetch.receive import Patience, make_client
from benchmark.fetch.side_by_side import side_by_side
from benchmark.fetch.transfer import Transfers
from benchmark.fetch.trouble import (
    Stopped,
    Unavailable,
    free,
    full_disk_told,
    no_room,
    unavailable,
)
from benchmark.fetch.unpack import move_into


def download(
    origin: Origin,
    folder: Path,
    *,
    dataset: str,
    cache: Path,
    checksums: Path | None = None,
    mirror: str | None = None,
    jobs: int = 4,
    patience: Patience | None = None,
    report: Progress | None = None,
) -> None:
    """Puts everything of a data set into a folder.

    Args:
        origin: What is published of its files.
        folder: An empty folder; it is empty again after an error.
        dataset: The data set's name, which is its folder's on a mirror, too.
        cache: Folder of finished and unfinished downloads.
        checksums: The record of hashes that nobody published (default: ``checksums.json`` in ``cache``).
        mirror: A URL or a folder where files are looked for first (default: the environment's).
        jobs: Files that come at once.
        patience: How long a bad network is borne.
        report: What is told of it.

    Raises:
        NeedsCredentials: If files of a restricted data set are missing: where to register, and what to put where.
        BenchmarkError: If a file cannot be had, is not what was published, or there is no room for it.
    """
    downloads = Downloads(dataset, cache, checksums or cache / "checksums.json", mirror or named_mirror(), jobs)
    with report or Progress(dataset) as progress, locked(cache, progress):
        seen = Checksums(downloads.checksums)
        look_for(origin, downloads)
        check_room(origin, downloads, folder)
        with tempfile.TemporaryDirectory(prefix=".fetch.", dir=folder) as holder, full_disk_told(folder):
            used = get_all(origin, downloads, seen, patience or Patience(), progress)
            for file in origin.files:
                put(file, cache, Path(holder), progress)
            for name in seen.record(used):
                progress.say(f"{name}: nobody published its hash; recorded in {seen.path} (please commit it)")
            move_into(Path(holder), folder, dataset)


@contextmanager
def locked(cache: Path, progress: Progress) -> Iterator[None]:
    """Lets one process at a time work in the folder; the lock ends with its process, however that ends."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"another process fetches into {cache}: waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def check_room(origin: Origin, downloads: Downloads, folder: Path) -> None:
    """Compares what is still to come, and will be put or unpacked, with the free space.

    Raises:
        DiskFull: If it does not fit.
    """
    cache = downloads.cache
    sizes = {file: file.size or 0 for file in origin.files}
    come = sum(
        max(size - Part(cache / file.name).size, 0) for file, size in sizes.items() if not (cache / file.name).exists()
    )
    grown = sum(size for file, size in sizes.items() if file.unpack)  # at least; other files are linked
    same = cache.stat().st_dev == folder.stat().st_dev
    for path, needed in ((cache, come + grown * same), (folder, grown)):
        if (left := free(path)) < needed:
            raise no_room(path, f"{decimal(left)} free", f"at least {decimal(needed)}")


def get_all(
    origin: Origin, downloads: Downloads, checksums: Checksums, patience: Patience, progress: Progress
) -> list[tuple[RemoteFile, Seen]]:
    """Brings all files into the folder of downloads, several at once. One that fails stops no other; a full disk all.

    Raises:
        BenchmarkError: Naming every file that failed.
    """
    cache, stop, files = downloads.cache, Event(), []
    for file in origin.files:
        if unpacked_by_hand(file, cache):
            continue
        if (cache / file.name).is_file() or sources(file, downloads.dataset, downloads.mirror):
            files.append(file)
        else:
            progress.say(f"{file.name}: optional, not in {cache}; left out")
    with make_client(patience) as client:
        transfers = Transfers(downloads, checksums, client, patience, progress, stop)

        def get(file: RemoteFile) -> Seen | None:
            try:
                return transfers.get(file)
            except (Unavailable, Stopped):
                raise
            except BaseException:
                stop.set()
                raise

        got = side_by_side(get, files, downloads.jobs, stop)
    failed = [error for error in got if isinstance(error, Exception)]
    for error in failed:
        if not isinstance(error, Unavailable | Stopped):
            raise error
    lost = [error for error in failed if isinstance(error, Unavailable)]
    absent = [error.file for error in lost if not error.file.urls and all(note.missing for note in error.notes)]
    if absent:
        raise needs_credentials(absent, origin, downloads)
    if lost:
        raise unavailable(lost, origin, downloads.dataset, cache)
    return [(file, seen) for file, seen in zip(files, got, strict=True) if isinstance(seen, Seen)]
