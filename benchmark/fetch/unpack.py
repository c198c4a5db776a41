"""Archives, unpacked without trust: zip, tar (also gzipped, xz, bzip2) and a single gzipped file.

Nothing leads out of the folder, nothing is linked, nothing runs, and what an archive becomes is bounded. The files
appear in their folder together or not at all.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal, cast

from benchmark.errors import BenchmarkError
from benchmark.fetch.bounds import PIECE, Bounds, Members

Kind = Literal["zip", "tar", "gz"]
DAMAGED = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
LARGEST = 16 << 20
"""Bytes that are read at once at most: a header that asks for more is a bomb."""
HEADERS = 4096
"""Bytes of a tar that belong to no content, for each file."""
OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
}


def unpack(archive: Path, folder: Path, kind: Kind, bounds: Bounds | None = None, name: str = "") -> int:
    """Unpacks an archive into a folder that may hold other files already.

    Args:
        archive: The file.
        folder: Where its members go; made if it is missing.
        kind: ``gz`` makes one file, called ``name``.
        bounds: What the archive may become.
        name: The name of a gzipped file's content (default: the archive's without ``.gz``).

    Returns:
        How many files there were.

    Raises:
        BenchmarkError: If the archive is damaged, goes beyond its bounds, or a member is not plainly a file or a folder
            below ``folder`` that was not there before.
        OSError: If the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack.", dir=folder) as holder:
        members = Members(Path(holder), bounds or Bounds.of(archive), archive.name)
        try:
            if kind == "zip":
                unzip(archive, members)
            elif kind == "tar":
                untar(archive, members)
            else:
                if not archive.stat().st_size:
                    raise EOFError("it is empty")
                with gzip.open(archive) as stream:
                    members.file(name or archive.name.removesuffix(".gz"), cast(IO[bytes], stream))
            members.finish()
        except DAMAGED as error:
            raise BenchmarkError(
                f"archive {archive.name} is damaged",
                got=str(error) or type(error).__name__,
                expected=f"a whole {kind} file",
                do=f"Delete {archive} and fetch again.",
            ) from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            member = Path(error.filename).relative_to(holder).as_posix()
            members.refuse(member, "a file and a folder of one name", "one of them")
        move_into(Path(holder), folder, archive.name)
    return len(members.files)


def move_into(source: Path, folder: Path, archive: str) -> None:
    """Moves files and folders; folders that are there already are shared.

    Raises:
        BenchmarkError: If a file is there already.
    """
    for path in sorted(source.iterdir()):
        target = folder / path.name
        if not target.exists():
            path.replace(target)
        elif path.is_dir() and target.is_dir():
            move_into(path, target, archive)
        else:
            raise BenchmarkError(f"{archive} and another file of the data set both bring {path.name}", got=str(target))


def unzip(archive: Path, members: Members) -> None:
    """Writes the members of a zip; their checksums are checked on the way."""
    with zipfile.ZipFile(archive) as content:
        for info in content.infolist():
            name, mode = info.filename.replace("\\", "/"), info.external_attr >> 16
            if info.flag_bits & 1:
                members.refuse(name, "an encrypted file", "none")
            if info.is_dir() or name.endswith("/"):
                members.folder(name)
                continue
            with content.open(info) as stream:
                if stat.S_ISLNK(mode):
                    members.link(name, stream.read(HEADERS).decode(), hard=False)
                elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                    members.file(name, stream, info.file_size)
                else:
                    members.refuse(name, "a device or another special file", "files and folders")


class Guarded(io.RawIOBase):
    """A decompressed stream that refuses large single reads and ends beyond a bound."""

    def __init__(self, inner: IO[bytes], members: Members) -> None:
        self.inner, self.members = inner, members
        self.most = members.bounds.total + HEADERS * members.bounds.files

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST:
            self.members.refuse("(header)", f"{size} bytes", f"at most {LARGEST}")
        return self._checked(self.inner.read(size))

    def _checked(self, data: bytes) -> bytes:
        if self.inner.tell() > self.most:
            self.members.refuse("(stream)", f"more than {self.most} bytes", "less")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset > self.most:
            self.members.refuse("(header)", f"a step to byte {offset}", f"at most {self.most}")
        return self.inner.seek(offset)

    def tell(self) -> int:
        return self.inner.tell()


def untar(archive: Path, members: Members) -> None:
    """Writes the members of a tar, compressed or not.

    The standard library takes a broken header after the first for the end, so the end is looked at; and a compressed
    stream is read to its end, where its checksum is.
    """
    with archive.open("rb") as raw:
        start = raw.read(8)
        raw.seek(0)
        opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
        inner: IO[bytes] = opener(raw) if opener else raw
        stream = Guarded(inner, members)
        with tarfile.open(fileobj=stream, mode="r:") as content:
            while member := content.next():
                write_member(content, member, members)
                cast(Any, content).members.clear()  # it would keep them all
            end = content.offset
        stream.seek(end)
        block = stream.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE or any(block):
            raise tarfile.ReadError(f"it breaks off or is garbled at byte {end}")
        while stream.read(PIECE):
            pass


def write_member(content: tarfile.TarFile, member: tarfile.TarInfo, members: Members) -> None:
    """One member; the standard library's filter ``data`` looks at it, too."""
    if member.isdir():
        members.folder(member.name)
        return
    if member.issym() or member.islnk():
        members.link(member.name, member.linkname, hard=member.islnk())
        return
    if not member.isreg():
        members.refuse(member.name, "a device or another special file", "files and folders")
    members.clean(member.name)
    try:
        tarfile.data_filter(member, str(members.root))
    except tarfile.FilterError as error:
        members.refuse(member.name, str(error), "a file below the folder")
    stream = content.extractfile(member)
    if stream is None:
        members.refuse(member.name, "a file without content", "a file")
    with stream:
        members.file(member.name, stream, member.size)
