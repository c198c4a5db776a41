"""Where an archive's members may go, and how much they may become: checked while they are written.

Headers are not believed: every byte is counted as it comes, so that a small archive cannot fill the disk.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from rich.filesize import decimal

from benchmark.errors import BenchmarkError

PIECE = 1 << 20
FACTOR = 50
"""An archive may become so many times its size: images hardly shrink, text and masks to a tenth or less ..."""
SMALL = 256 << 20
"""... and a small one this many bytes in any case."""


@dataclass(frozen=True)
class Bounds:
    """What an archive may become.

    Attributes:
        total: Bytes of all files.
        files: Files and folders.
    """

    total: int
    files: int = 3_000_000

    @classmethod
    def of(cls, archive: Path, total: int | None = None) -> Bounds:
        """The usual bounds, unless ``total`` says otherwise."""
        return cls(total or max(FACTOR * archive.stat().st_size, SMALL))


class Members:
    """The members of one archive, written below a folder as they come.

    Args:
        root: An empty folder.
        bounds: What the archive may become.
        archive: Its name, for errors.
    """

    def __init__(self, root: Path, bounds: Bounds, archive: str) -> None:
        self.root, self.bounds, self.archive = root, bounds, archive
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.links: dict[str, str] = {}
        self.total = 0

    def refuse(self, member: str, got: str, expected: str) -> NoReturn:
        """Raises the error for a member.

        Raises:
            BenchmarkError: Always.
        """
        raise BenchmarkError(
            f"archive {self.archive}: member {member!r}",
            got=got,
            expected=expected,
            do="Nothing of the archive is taken. Ask its publisher, and do not unpack it by other means before.",
        )

    def clean(self, name: str) -> str:
        """A member's name without ``./``; empty for the root itself."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or (parts and parts[0].endswith(":")):
            self.refuse(name, "a path that leads out of the folder", "a path below it")
        return "/".join(parts)

    def count(self, name: str) -> None:
        """One member more."""
        if len(self.files) + len(self.folders) + len(self.links) >= self.bounds.files:
            self.refuse(name, f"more than {self.bounds.files} files", f"at most {self.bounds.files}")

    def folder(self, name: str) -> None:
        """A folder; it may come more than once."""
        name = self.clean(name)
        if name and name not in self.folders:
            self.count(name)
            self.folders.add(name)
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def fresh(self, name: str) -> str:
        """The cleaned name of a file or a link that is new."""
        clean = self.clean(name)
        if not clean or clean in self.files or clean in self.links:
            self.refuse(name, "a name that came before" if clean else "a file without a name", "each name once")
        self.count(name)
        return clean

    def file(self, name: str, stream: IO[bytes], declared: int = 0) -> None:
        """A file's content. ``declared``: the bytes that its header promises."""
        clean = self.fresh(name)
        self.room(name, declared)
        target = self.root / clean
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while piece := stream.read(PIECE):
                self.room(name, len(piece))
                out.write(piece)
                self.total += len(piece)
        self.files.add(clean)

    def room(self, name: str, more: int) -> None:
        """Refuses bytes above the bound."""
        if self.total + more > self.bounds.total:
            most = decimal(self.bounds.total)
            self.refuse(name, f"more than {most} unpacked", f"at most {most} (setting max_unpacked of the file)")

    def link(self, name: str, target: str, hard: bool) -> None:
        """A link: it becomes a copy of what it points to, which must be a file of this archive."""
        clean = self.fresh(name)
        path = target if hard else posixpath.join(posixpath.dirname(clean), target)
        path = posixpath.normpath(path)
        if target.startswith("/") or path.split("/")[0] == "..":
            self.refuse(name, f"a link to {target}", "links inside the archive")
        self.links[clean] = path

    def finish(self) -> None:
        """Makes the links."""
        waiting = dict(self.links)
        while waiting:
            ready = {name: path for name, path in waiting.items() if path in self.files}
            if not ready:
                name, path = next(iter(waiting.items()))
                self.refuse(name, f"a link to {path}", "links to files of the archive")
            for name, path in ready.items():
                del waiting[name], self.links[name]
                with (self.root / path).open("rb") as stream:
                    self.file(name, stream)
