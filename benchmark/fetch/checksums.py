"""Trust on first use: hashes that nobody published, recorded when a file first comes and compared ever after.

The record, ``pipelines/configs/checksums/<dataset>.json``, is meant to be committed. It has no date: git knows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.fetch.origin import UNKNOWN, RemoteFile
from benchmark.files import read_json, write_json


@dataclass(frozen=True)
class Seen:
    """A file at its first use."""

    sha256: str
    size: int
    url: str


class Checksums:
    """The record of one data set.

    Args:
        path: Its file, which may be missing.

    Raises:
        BenchmarkError: If the file is no such record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: dict[str, Seen] = {}
        if path.is_file():
            try:
                content: dict[str, Any] = read_json(path)
                self.seen = {name: Seen(**facts) for name, facts in content.items()}
            except (ValueError, TypeError, AttributeError) as error:
                raise BenchmarkError(
                    f"{path} is no record of checksums", got=str(error), do="Restore it from git, or delete it."
                ) from error

    def sha256(self, file: RemoteFile) -> str:
        """The recorded hash; empty where there is none, or a published one counts."""
        return self.seen[file.name].sha256 if file.sha256 == UNKNOWN and file.name in self.seen else ""

    def record(self, used: Iterable[tuple[RemoteFile, Seen]]) -> list[str]:
        """Adds the files whose hash nobody published; the names of those that are new."""
        new = {file.name: seen for file, seen in used if file.sha256 == UNKNOWN and file.name not in self.seen}
        if new:
            self.seen |= new
            write_json(self.path, {name: asdict(seen) for name, seen in self.seen.items()})
        return list(new)

    def advice(self, name: str) -> str:
        """What to do when a file is not what it was."""
        return (
            f"If its publisher says that it changed, delete {name!r} from {self.path}, raise the data set's version "
            "and run again; if not, something changed it on the way: use another mirror."
        )
