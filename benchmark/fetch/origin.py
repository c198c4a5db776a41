"""What a data set's YAML says of the files that it is made from: where they are, how big, and how to know them."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from benchmark.api import Options

UNKNOWN = "unknown"
"""The hash of a file that nobody has published one for: the first download is trusted and recorded."""
SCHEMES = ("http", "https", "file")
OURS = (".part", ".part.json", ".wrong")
"""Ends of names that are given to files beside a download."""
SUFFIXES = (".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tar", ".tgz", ".txz", ".zip")


def check_path(name: str) -> str:
    """Returns a path that is plainly below its folder.

    Raises:
        ValueError: If it is absolute, steps up, has an empty or a hidden part, a backslash, a drive or a control
            character.
    """
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or ":" in parts[0] or any(not p or p.startswith(".") for p in parts):
        raise ValueError(f"{name!r} is no path below a folder: parts joined by '/', none empty or beginning with '.'")
    return name


class RemoteFile(Options):
    """One file that is downloaded, or put into the folder of downloads by hand where no URL is given."""

    name: str = Field(description="path below the raw folder; of an archive, its name in the folder of downloads")
    urls: tuple[str, ...] = Field((), description="mirrors, in the order in which they are tried")
    sha256: str = Field(UNKNOWN, pattern=f"^([0-9a-f]{{64}}|{UNKNOWN})$", description="unknown: trust on first use")
    md5: str = Field("", pattern="^([0-9a-f]{32})?$", description="where only that is published")
    size: int | None = Field(None, gt=0, description="bytes, as published")
    unpack: Literal["", "zip", "tar", "gz"] = Field("", description="tar: compressed or not; gz: one gzipped file")
    into: str = Field("", description="folder below the raw folder that an archive is unpacked into; of gz: new name")
    optional: bool = Field(False, description="the data set does without it where it is nowhere")
    max_unpacked: int | None = Field(None, gt=0, description="bytes that an archive may become")

    @field_validator("name", "into")
    @classmethod
    def _below(cls, name: str) -> str:
        return check_path(name) if name else name

    @field_validator("urls")
    @classmethod
    def _schemes(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file") or parts.password:
                raise ValueError(f"{url!r} is no URL of {', '.join(SCHEMES)}, without a password")
        return urls

    @model_validator(mode="after")
    def _names(self) -> RemoteFile:
        if not self.name or self.name.endswith(OURS) or self.name == "checksums.json":
            raise ValueError(f"name {self.name!r} is empty, or ends in one of {', '.join(OURS)}")
        if self.unpack == "gz" and not self.name.endswith(".gz"):
            raise ValueError(f"{self.name!r} is unpacked as gz, so its name must end in .gz")
        if self.into and not self.unpack:
            raise ValueError(f"{self.name!r} is not unpacked: put its folder into its name instead of 'into'")
        return self

    @property
    def known(self) -> bool:
        """Whether a published hash tells the right bytes from others."""
        return self.sha256 != UNKNOWN or bool(self.md5)

    @property
    def stem(self) -> str:
        """An archive's name without its suffix: the folder that may stand for it; empty if it is none."""
        return next((self.name.removesuffix(end) for end in SUFFIXES if self.name.endswith(end) and self.unpack), "")


class Origin(Options):
    """Where a data set comes from."""

    homepage: str
    licence: str
    citation: str
    access: Literal["open", "restricted"] = "open"
    register_at: str = Field("", description="restricted: where to register, and what to put where")
    files: tuple[RemoteFile, ...]

    @model_validator(mode="after")
    def _whole(self) -> Origin:
        names = [file.name for file in self.files]
        if not names:
            raise ValueError("files: the list is empty")
        folders = {"/".join(name.split("/")[:n]) for name in names for n in range(1, name.count("/") + 1)}
        if len(set(names)) != len(names) or folders & set(names):
            raise ValueError(f"files: two of {names} have one name, or one lies in another")
        if self.access == "restricted" and not self.register_at:
            raise ValueError("register_at: a restricted data set says where to register")
        lost = [file.name for file in self.files if not file.urls and not file.optional]
        if lost and self.access == "open":
            raise ValueError(f"files: {', '.join(lost)} have no URL, so access is restricted or they are optional")
        return self
