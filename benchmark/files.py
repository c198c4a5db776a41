"""Files that appear whole or not at all, and the hashes that name their content."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yields a temporary sibling of ``target``; renames it onto ``target`` when the block succeeds.

    Works for a file and for a folder (an existing folder is replaced). A failed block leaves the old
    ``target`` as it was and no temporary name behind.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh = holder / target.name
        yield fresh
        if fresh.is_dir() and target.exists():
            target.replace(holder / "old")
        fresh.replace(target)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


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
