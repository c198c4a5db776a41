"""From the folder of downloads into the raw folder: unpacked, or as a second name of the same file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rich.filesize import decimal

from benchmark.errors import BenchmarkError
from benchmark.fetch.bounds import Bounds
from benchmark.fetch.by_hand import unpacked_by_hand
from benchmark.fetch.origin import RemoteFile
from benchmark.fetch.progress import Progress
from benchmark.fetch.unpack import unpack


def put(file: RemoteFile, cache: Path, folder: Path, progress: Progress) -> None:
    """Puts one file, or what it unpacks to, below the folder.

    Raises:
        BenchmarkError: If an archive is not to be trusted, or a file is there already.
    """
    source = cache / file.name
    if ready := unpacked_by_hand(file, cache):
        progress.say(f"{ready} stands for {file.name}: its hash cannot be checked")
        link_tree(ready.resolve(), folder / file.into)
    elif not source.is_file():
        return  # optional, and nowhere
    elif not file.unpack:
        link(source, folder / file.name)
    else:
        progress.say(f"{file.name}: unpacking {decimal(source.stat().st_size)}")
        target, name = folder / file.into, ""
        if file.unpack == "gz":
            path = folder / (file.into or file.name.removesuffix(".gz"))
            target, name = path.parent, path.name
        count = unpack(source, target, file.unpack, Bounds.of(source, file.max_unpacked), name)
        progress.say(f"{file.name}: {count} files")


def link(source: Path, target: Path) -> None:
    """A second name for the file, which costs no space; a copy on another file system.

    Raises:
        BenchmarkError: If the target is there already.
    """
    if target.exists():
        raise BenchmarkError(f"two files of the data set both bring {target.name}", got=str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def link_tree(source: Path, target: Path) -> None:
    """The files of a folder below another one. Links to files are followed, links to folders are not."""
    for folder, _, names in os.walk(source):
        for name in sorted(names):
            path = Path(folder) / name
            link(path, target / path.relative_to(source))
