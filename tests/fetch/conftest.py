"""A server, and a data set that is fetched from it with little patience."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from server import Server, serving

from benchmark.errors import BenchmarkError
from benchmark.fetch import Origin, Patience, RemoteFile, download

QUICK = Patience(attempts=2, connect=1, stall=0.4, slowest=100, first_wait=0.01, longest_wait=3)
HOMEPAGE = "https://publisher.example/set"
CONTENT = np.random.default_rng(0).bytes(300_000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@dataclass
class Place:
    """Where a data set is fetched into."""

    root: Path
    files: list[RemoteFile] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder, self.cache = self.root / "raw", self.root / "downloads"
        self.checksums = self.root / "checksums.json"
        self.folder.mkdir()

    def file(self, name: str = "a.bin", content: bytes | None = None, *urls: str, **facts: object) -> RemoteFile:
        """Adds a file; with a content, its hash and size are published."""
        known = {"sha256": sha256(content), "size": len(content)} if content is not None else {}
        one = RemoteFile.model_validate({"name": name, "urls": urls, **known, **facts})
        self.files.append(one)
        return one

    @property
    def origin(self) -> Origin:
        terms = {"homepage": HOMEPAGE, "licence": "CC0", "citation": "Somebody, 2020.", **self.terms}
        return Origin.model_validate({**terms, "files": self.files})

    def fetch(self, patience: Patience = QUICK, mirror: str | None = None) -> None:
        download(
            self.origin,
            self.folder,
            dataset="tiny",
            cache=self.cache,
            checksums=self.checksums,
            mirror=mirror,
            patience=patience,
        )

    def fails(self, match: str) -> str:
        """Fetches in vain; the sentence. Nothing half-made is left: no file under its final name, no raw file."""
        with pytest.raises(BenchmarkError, match=match) as caught:
            self.fetch()
        assert self.raw == {}
        assert [name for name in self.kept if not name.endswith((".part", ".part.json"))] == []
        assert not self.checksums.exists()
        return str(caught.value)

    @property
    def raw(self) -> dict[str, bytes]:
        return tree(self.folder)

    @property
    def kept(self) -> dict[str, bytes]:
        return tree(self.cache)


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHORTCUT_BENCH_MIRROR", raising=False)
    monkeypatch.delenv("SHORTCUT_BENCH_JOBS", raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
