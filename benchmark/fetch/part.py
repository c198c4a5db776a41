"""The beginning of a file, and what must hold before more of it may be appended.

Two answers may be joined when both are surely of one file: the hash of the whole is published or recorded, or the
server confirms the first answer's validator (If-Range). Otherwise the download starts over.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.files import read_json, write_json


class Part:
    """``<name>.part`` beside the file that it becomes, and ``<name>.part.json``: its URL and validator.

    Args:
        final: The file.
    """

    def __init__(self, final: Path) -> None:
        self.path = final.with_name(f"{final.name}.part")
        self.facts = final.with_name(f"{final.name}.part.json")
        self.joined = False
        """Whether the bytes come from several answers."""

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def headers(self, url: str, known: bool) -> dict[str, str]:
        """What to ask for, so that the answer may be appended; nothing: the whole file."""
        facts = self._read()
        if not self.size or facts is None:
            return {}
        same = facts.get("url") == url and facts.get("validator")
        if not same and not known:
            return {}
        asked = {"Range": f"bytes={self.size}-"}
        return {**asked, "If-Range": str(same)} if same else asked

    def _read(self) -> dict[str, str] | None:
        try:
            facts = read_json(self.facts)
        except (OSError, ValueError):
            return None
        if not isinstance(facts, dict):
            return None
        return {str(key): str(value) for key, value in facts.items()} | ({"validator": facts.get("validator") or ""})

    def begin(self, url: str, validator: str = "") -> None:
        """Empties the part and notes from where it will come."""
        self.drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.facts, {"url": url, "validator": validator})
        self.path.touch()

    def drop(self) -> None:
        """Removes it."""
        self.path.unlink(missing_ok=True)
        self.facts.unlink(missing_ok=True)
        self.joined = False

    def finish(self, final: Path) -> None:
        """Gives it its final name."""
        self.path.replace(final)
        self.facts.unlink(missing_ok=True)


def validator(etag: str, last_modified: str) -> str:
    """What If-Range may say: a strong ETag, else the date of the last change."""
    return etag if etag and not etag.startswith("W/") else last_modified
