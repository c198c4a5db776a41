"""Is this the file? Its size, its first bytes and its hashes.

The commonest wrong file is an HTML page that a server sends with status 200: an error, a login, a quota. Where no hash
is published only the first bytes can tell, so they are looked at always.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from benchmark.fetch.origin import UNKNOWN, RemoteFile

HEAD = 4096
"""Bytes that are enough to know a page or an archive."""
PAGES = (".html", ".htm", ".xhtml", ".xml", ".svg")
TAR_MAGIC = 257
BEGINNINGS = {
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".xz": (b"\xfd7zXZ\x00",),
    ".bz2": (b"BZh",),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
}


@dataclass(frozen=True)
class Finding:
    """What a file is, and why it is not the right one (empty: it is)."""

    size: int
    sha256: str
    problem: str


def page(head: bytes, name: str, content_type: str = "", known: bool = True) -> str:
    """Says that the bytes are a page of HTML; empty if they are not, or the file is meant to be one.

    A server's word alone (``content_type``) counts only where no hash can decide.
    """
    if name.endswith(PAGES):
        return ""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    says = "html" in content_type.lower()
    if not text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) and not (says and not known):
        return ""
    title = re.search(rb"<title[^>]*>([^<]{1,200})", head, re.IGNORECASE)
    words = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    kind = f" ({content_type})" if content_type else ""
    return f"an HTML page{kind}" + (f" with the title {words!r}" if words else "") + " instead of the file"


def not_archive(head: bytes, file: RemoteFile) -> str:
    """Says that the bytes do not begin as the archive that the name and ``unpack`` promise."""
    promised = BEGINNINGS.get(f".{file.name.rpartition('.')[2]}")
    if file.unpack in ("zip", "gz"):
        promised = BEGINNINGS[f".{file.unpack}"]
    if promised and not head.startswith(promised):
        return f"no {file.unpack or file.name.rpartition('.')[2]} file: it begins with {head[:8]!r}"
    if file.unpack == "tar" and not promised and not head.startswith((b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh")):
        old = len(head) >= 512 and any(head[:512])  # tar before POSIX has no magic, but a header
        if not (head[TAR_MAGIC : TAR_MAGIC + 5] == b"ustar" or old):
            return f"no tar file: it begins with {head[:8]!r}"
    return ""


def inspect(path: Path, file: RemoteFile, recorded: str = "") -> Finding:
    """Reads a file and compares it with what is published.

    Args:
        path: The file.
        file: What is published of it.
        recorded: The SHA-256 of its first use, if it was used before.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        stream.seek(0)
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
            if file.md5:
                md5.update(chunk)
    found = sha256.hexdigest()
    problems = ["an empty file" if not size and not file.known else "", page(head, file.name)]
    if file.size and size != file.size:
        problems.append(f"{size} bytes, {'too long' if size > file.size else 'cut off'}: expected {file.size}")
    if file.sha256 not in (UNKNOWN, found):
        problems.append(f"sha256 {found}, expected {file.sha256}")
    if file.md5 and md5.hexdigest() != file.md5:
        problems.append(f"md5 {md5.hexdigest()}, expected {file.md5}")
    if not file.known:
        problems.append(not_archive(head, file))
    problem = next(filter(None, problems), "")
    if not problem and file.sha256 == UNKNOWN and recorded not in ("", found):
        problem = f"sha256 {found}, but at its first use it had {recorded}"
    return Finding(size, found, problem)
