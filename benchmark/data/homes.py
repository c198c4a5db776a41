"""In which folder a data set's files begin: an archive has a top folder, which is gone where a person unpacked it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.data.official import missing


def home_of(folder: Path, homes: Sequence[str], file: str) -> str:
    """The first of several folders that holds a file.

    Args:
        folder: The raw folder.
        homes: Relative to it.
        file: Relative to any of them.

    Raises:
        BenchmarkError: If none does, naming the first place that was looked at.
    """
    for home in homes:
        if (folder / home / file).is_file():
            return home
    raise missing(folder, f"{homes[0]}/{file}")
