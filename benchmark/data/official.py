"""Image files with an official list of test images; the lists, and validation images drawn from the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, field_validator

from benchmark.data.filed import FileDataset, Split
from benchmark.errors import BenchmarkError

AGAIN = "Fetch the data set again; if the error stays, its publisher has changed the archive."


class OfficialTest(FileDataset):
    """Test images are official; the share ``split.val`` of the other units is drawn for validation."""

    class Settings(FileDataset.Settings):
        """The data set's YAML."""

        split: Split = Field(Split(val=0.1, test=0), description="val: share of the official training units")

        @field_validator("split")
        @classmethod
        def _test_is_official(cls, split: Split) -> Split:
            if split.test:
                raise ValueError(f"test must be 0, as the test images are official; got {split.test}")
            return split

    settings: Settings


def read_list(folder: Path, name: str, columns: int) -> Iterator[tuple[str, list[str]]]:
    """The lines of a list, as ``(place, fields)``, without empty lines and those that begin with ``#``.

    Args:
        folder: The raw folder.
        name: The list, relative to it.
        columns: How many fields a line has, with white space between them.

    Raises:
        BenchmarkError: If the list is missing, no text, or a line has another number of fields.
    """
    for number, line in enumerate(read_text(folder, name).splitlines(), 1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            if len(fields) != columns:
                raise BenchmarkError(
                    f"line {number} of {name}", got=line.strip()[:80], expected=f"{columns} fields", do=AGAIN
                )
            yield f"line {number} of {name}", fields


def read_text(folder: Path, name: str) -> str:
    """A text file of the data set.

    Raises:
        BenchmarkError: If it is missing or no UTF-8.
    """
    try:
        return (folder / name).read_text(encoding="utf-8")
    except OSError as error:
        raise missing(folder, name) from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"file {name}", got=str(error), expected="text", do=AGAIN) from error


def missing(folder: Path, name: str) -> BenchmarkError:
    """The error for an archive of another layout."""
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return BenchmarkError(
        f"{name} is not among the data set's files",
        got=f"{', '.join(found[:10]) or 'nothing'} in {folder}",
        expected=f"the official archive, with the file {name}",
        do=AGAIN,
    )


def whole_number(text: str, low: int, high: int, what: str) -> int:
    """A number of a list.

    Raises:
        BenchmarkError: Naming its place, if it is none or out of range.
    """
    if not text.isdecimal() or not low <= int(text) <= high:
        raise BenchmarkError(what, got=text, expected=f"a whole number from {low} to {high}", do=AGAIN)
    return int(text)
