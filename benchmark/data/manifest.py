"""A user's own images: a table and a folder of files, named by a YAML with ``dataset: manifest``.

The images stay where they are, below the data root. Fetching copies the table and writes size and SHA-256 of every
file that it names, so the raw folder is small, and it changes when an image does; packing reads each image from its
place and refuses one whose hash has changed since. Copying would double what may be terabytes; links would change with
their targets unseen.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal

from pydantic import Field

from benchmark.api import SPLITS
from benchmark.data.filed import Facts, ImageFiles
from benchmark.data.inside import Inside
from benchmark.data.records import Record
from benchmark.data.table import read_table
from benchmark.data.threads import in_threads
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import sha256_file
from benchmark.paths import DATA_ROOT, data_root

TABLE, FILES = "index.csv", "files.csv"
EXTERNAL = "external"


class Manifest(ImageFiles):
    """Any images with a table ``file,label,source,split,patient,mask``."""

    source = "the user's own images, as their YAML says"

    class Settings(ImageFiles.Settings):
        """The data set's YAML."""

        source: str = Field("the user's own images", description="citation and licence, as the pack states them")
        folder: str = Field(min_length=1, description="of the images: below the data root, or absolute")
        csv: str = Field(TABLE, description="the table, relative to the folder; so are the files that it names")
        splits: dict[str, str] = Field(default_factory=dict, description="the table's word for a split: ours")
        splits_from: Literal["csv", "draw"] = Field(
            "csv", description="draw: the table's splits are put aside, all but the external images are drawn anew"
        )
        sources: tuple[str, ...] = Field((), description="keep the images of these only (default: all)")
        sources_external: tuple[str, ...] = Field((), description="every image of these is for the external test")
        mask_kinds: dict[str, str] = Field(default_factory=dict, description="the table's word for a mask kind: ours")
        notes: dict[str, str | int | float] = Field(default_factory=dict, description="facts that the pack shall state")

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.source = settings.source

    @property
    def folder(self) -> Path:
        """Where the images lie.

        Raises:
            BenchmarkError: If there is no such folder.
        """
        where = data_root() / self.settings.folder
        if not where.is_dir():
            raise BenchmarkError(
                f"folder {self.settings.folder!r} of images is missing",
                got=str(where),
                expected="a folder",
                do=f"Set {DATA_ROOT}, or data_root in pipelines/configs/data_root.yaml, to the folder around it.",
            )
        return where

    def root(self, folder: Path) -> Path:
        return self.folder

    def fetch(self, folder: Path) -> None:
        """Copies the table, and writes size and hash of every file that it names.

        Raises:
            BenchmarkError: If the table or a file breaks a rule.
        """
        where = self.folder
        inside = Inside(where)
        inside.require([self.settings.csv], "the table", do="Name it in the setting csv.")
        shutil.copyfile(where / self.settings.csv, folder / TABLE)
        names = named_files(self.read_records(folder))
        inside.require(names, "files of the table", do="Put them there, or take their rows out.")
        hashes = in_threads(lambda name: sha256_file(where / name), names)
        with (folder / FILES).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("file", "size", "sha256"))
            for name, found in zip(names, hashes, strict=True):
                writer.writerow((name, (where / name).stat().st_size, found))

    def records(self, folder: Path) -> list[Record]:
        records = self.read_records(folder)
        known = self.known(folder)
        if lost := [name for name in named_files(records) if name not in known]:
            raise BenchmarkError(f"{FILES} of the raw data lacks {lost[0]!r}", do="Fetch the data set again.")
        return records

    def facts(self, folder: Path) -> Facts:
        return {**super().facts(folder), **self.settings.notes}

    def read_records(self, folder: Path) -> list[Record]:
        """The rows that the settings keep, in our words."""
        s = self.settings
        columns = read_table(folder / TABLE, s.csv)
        count = len(columns["file"])
        known = set(columns["source"])
        for name in (*s.sources, *s.sources_external):
            if name not in known:
                raise_unknown("source", name, known, do=f"They are in {s.csv}.")
        splits = [s.splits.get(name, name) for name in columns["split"]]
        for row, name in enumerate(splits):
            if name and name not in SPLITS and s.splits_from == "csv":
                raise BenchmarkError(
                    f"split of {columns['file'][row]!r} in {s.csv}",
                    got=name,
                    expected=f"{', '.join(SPLITS)} or nothing",
                    do="Mend it, or translate it in the setting splits.",
                )
        external, keep = set(s.sources_external), set(s.sources) or known
        drawn = [name if name == EXTERNAL or s.splits_from == "csv" else "" for name in splits]
        kinds = [s.mask_kinds.get(name, name) for name in columns.get("mask_kind", [""] * count)]
        records = [
            Record(
                file=file,
                label=label,
                source=source,
                split=EXTERNAL if source in external else split,
                unit=unit,
                mask=mask,
                mask_kind=kind if mask else "",
                id=name,
            )
            for file, label, source, split, unit, mask, kind, name in zip(
                *(columns[each] for each in ("file", "label", "source")),
                drawn,
                *(columns[each] for each in ("patient", "mask")),
                kinds,
                columns.get("id", [""] * count),
                strict=True,
            )
            if source in keep
        ]
        refuse_shared(records, s.csv)
        return records

    def known(self, folder: Path) -> dict[str, str]:
        """File to SHA-256, as they were when fetched."""
        if "_known" not in self.__dict__:
            try:
                with (folder / FILES).open(newline="", encoding="utf-8") as stream:
                    self._known = {row["file"]: row["sha256"] for row in csv.DictReader(stream)}
            except (OSError, KeyError, ValueError, csv.Error) as error:
                raise BenchmarkError(
                    f"{FILES} of the raw data", got=str(error), do="Fetch the data set again."
                ) from error
        return self._known

    def opened(self, folder: Path, name: str) -> IO[bytes]:
        """A file's content.

        Raises:
            BenchmarkError: If it is not what was fetched.
        """
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise BenchmarkError(f"file {name} cannot be read", got=error.strerror, do="Put it back.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self._known[name]:
            raise BenchmarkError(
                f"file {name} has changed since the data set was fetched",
                got=found,
                expected=self._known[name],
                do="Put the old file back, or fetch the data set again.",
            )
        return io.BytesIO(content)


def named_files(records: Iterable[Record]) -> list[str]:
    """Every image and mask."""
    return [name for record in records for name in (record.file, record.mask) if name]


def refuse_shared(records: Iterable[Record], table: str) -> None:
    """Refuses a source that is in the external test and elsewhere: it would be no hospital that training never saw.

    Raises:
        BenchmarkError: Naming the source.
    """
    records = list(records)
    outside = {record.source for record in records if record.split == EXTERNAL}
    inside = {record.source for record in records if record.split != EXTERNAL}
    if shared := sorted(outside & inside):
        raise BenchmarkError(
            f"source {shared[0]!r} of {table} is in the external test and in other splits",
            expected="sources that training never saw",
            do="Name it in sources_external, or give its external images another split or source.",
        )
