"""Where downloads of a data set are kept, and from where they may come."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from benchmark import paths
from benchmark.cell import check_name
from benchmark.errors import BenchmarkError
from benchmark.fetch.origin import RemoteFile

MIRROR = "SHORTCUT_BENCH_MIRROR"
"""The environment variable that names a base, a URL or a folder, where files are looked for first."""
JOBS = "SHORTCUT_BENCH_JOBS"
"""The environment variable that says how many files come at once."""


@dataclass(frozen=True)
class Downloads:
    """How a data set is downloaded.

    Attributes:
        dataset: Its name, which is its folder's on a mirror, too.
        cache: Folder of finished and unfinished downloads. It is no output of a stage, for DVC deletes those.
        checksums: The record of hashes that nobody published, made at first use.
        mirror: A base where files are looked for first.
        jobs: Files that come at once.
    """

    dataset: str
    cache: Path
    checksums: Path
    mirror: str | None = None
    jobs: int = 4

    @classmethod
    def of_project(cls, dataset: str, mirror: str | None = None, jobs: int | None = None) -> Downloads:
        """Those of the project in the working directory."""
        check_name("dataset", dataset)
        checksums = paths.CONFIGS / "checksums" / f"{dataset}.json"
        return cls(
            dataset, paths.DATA / "downloads" / dataset, checksums, mirror or named_mirror(), jobs or asked_jobs()
        )

    @classmethod
    def beside(cls, folder: Path) -> Downloads:
        """For a folder that belongs to no project: everything is kept beside it."""
        cache = folder.with_name(f"{folder.name}.downloads")
        return cls(folder.name, cache, cache / "checksums.json", named_mirror(), asked_jobs())


def named_mirror() -> str | None:
    """The mirror of the environment."""
    return os.environ.get(MIRROR) or None


def asked_jobs() -> int:
    """The number of files at once of the environment.

    Raises:
        BenchmarkError: If it is no positive number.
    """
    text = os.environ.get(JOBS) or "4"
    if not text.isdecimal() or int(text) < 1:
        raise BenchmarkError(JOBS, got=text, expected="a number of files, such as 4")
    return int(text)


@dataclass(frozen=True)
class Source:
    """One place of one file: a path here, or a URL."""

    place: str
    path: Path | None = None
    mirrored: bool = False


def sources(file: RemoteFile, dataset: str, mirror: str | None) -> list[Source]:
    """Every place of a file, in the order of trial: ``<mirror>/<dataset>/<name>``, ``<mirror>/<name>``, its URLs.

    Raises:
        BenchmarkError: If the mirror is neither a folder nor a URL.
    """
    found = []
    if mirror:
        base = local(mirror) or ("" if urlsplit(mirror).scheme in ("http", "https") else Path(mirror))
        if isinstance(base, Path) and not base.is_dir():
            raise BenchmarkError("the mirror", got=mirror, expected="a folder that exists, or a URL with http or https")
        for name in (f"{dataset}/{file.name}", file.name):
            if isinstance(base, Path):
                found.append(Source(str(base / name), base / name, mirrored=True))
            else:
                found.append(Source(f"{mirror.rstrip('/')}/{quote(name)}", mirrored=True))
    return found + [Source(url, local(url)) for url in file.urls]


def local(url: str) -> Path | None:
    """The path of a file URL."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None
