"""Files that a person puts into the folder of downloads, and what a restricted data set says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal

from benchmark.fetch.origin import Origin, RemoteFile
from benchmark.fetch.places import Downloads
from benchmark.fetch.trouble import NeedsCredentials


def unpacked_by_hand(file: RemoteFile, cache: Path) -> Path | None:
    """The folder that stands for an archive without a URL that a person unpacked."""
    folder = cache / file.stem if file.stem and not file.urls else None
    return folder if folder and folder.is_dir() and not (cache / file.name).exists() else None


def look_for(origin: Origin, downloads: Downloads) -> None:
    """Looks for the files without a URL before anything is downloaded; a mirror may have them, too.

    Raises:
        NeedsCredentials: If one is missing.
    """
    cache = downloads.cache
    lost = [
        file
        for file in origin.files
        if not (file.optional or file.urls or (cache / file.name).is_file() or unpacked_by_hand(file, cache))
    ]
    if lost and not downloads.mirror:
        raise needs_credentials(lost, origin, downloads)


def needs_credentials(lost: Sequence[RemoteFile], origin: Origin, downloads: Downloads) -> NeedsCredentials:
    """The error of a restricted data set: where to register, which files, and where to put them."""
    where = []
    for file in lost:
        size = f" ({decimal(file.size)})" if file.size else ""
        folder = f", or its content in the folder {downloads.cache / file.stem}/" if file.stem else ""
        where.append(f"{file.name}{size} as {downloads.cache / file.name}{folder}")
    return NeedsCredentials(
        f"data set {downloads.dataset} needs credentials",
        got=f"no {', '.join(file.name for file in lost)}",
        do=f"{' '.join(origin.register_at.split())} Put {'; '.join(where)}. Then run "
        f"`dvc repro --force --single-item fetch@{downloads.dataset}` and go on as usual.",
    )
