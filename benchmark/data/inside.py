"""Which files lie in a folder, and the refusal of names that lead out of it.

A folder is listed once, so a million names cost a million look-ups in memory and no call of the file system each.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from benchmark.errors import BenchmarkError

SHOWN = 10
"""How many missing files an error names."""


def check_relative(name: str, what: str) -> None:
    """Refuses a path that is not plainly below its folder.

    Raises:
        BenchmarkError: For an absolute path, a step up (``..``) or on the spot (which would give a file two names), a
            backslash or a control character.
    """
    parts = name.split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or ":" in parts[0] or not name.isprintable():
        raise BenchmarkError(
            what,
            got=name,
            expected="a path below the folder, with '/' between its parts and without '..' or '.'",
            do="Mend the entry.",
        )


class Inside:
    """The files below a folder.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @cached_property
    def _real(self) -> str:
        return os.path.realpath(self.root)

    @cached_property
    def _folders(self) -> dict[str, dict[str, bool] | None]:
        return {}

    def _listing(self, folder: str) -> dict[str, bool] | None:
        """Names of files in a folder, and whether each is a link; nothing where the folder itself leads out."""
        if folder not in self._folders:
            where, found = self.root / folder, dict[str, bool]()
            if where.is_dir():
                with os.scandir(where) as entries:
                    found = {
                        entry.name: entry.is_symlink()
                        for entry in entries  # a pipe or a device would be read for ever
                        if entry.is_symlink() or entry.is_file(follow_symlinks=False)
                    }
            self._folders[folder] = found if self._stays(where) else None
        return self._folders[folder]

    def _stays(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real + os.sep)

    def missing(self, names: Iterable[str], what: str) -> list[str]:
        """The names that are no file here.

        Raises:
            BenchmarkError: If a name leads out of the folder, by itself or through a link.
        """
        lost = []
        for name in names:
            check_relative(name, what)
            folder, _, last = name.rpartition("/")
            listing = self._listing(folder)
            link = listing.get(last) if listing is not None else True
            if listing is None or (link and not self._stays(self.root / name)):
                self._refuse_link(name, what)
            if link is None or (link and not (self.root / name).is_file()):
                lost.append(name)
        return lost

    def _refuse_link(self, name: str, what: str) -> None:
        raise BenchmarkError(
            what,
            got=f"{name} -> {os.path.realpath(self.root / name)}",
            expected=f"a file below {self.root}: links may not lead out",
            do="Put the file itself there.",
        )

    def require(self, names: Iterable[str], what: str, do: str) -> None:
        """Refuses names that are no file here.

        Raises:
            BenchmarkError: With the number of missing files and the first ten of them.
        """
        if lost := self.missing(names, what):
            more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
            raise BenchmarkError(
                f"{what}: {len(lost)} missing below {self.root}", got=", ".join(lost[:SHOWN]) + more, do=do
            )
