"""A data set that was left out, such as one whose files need credentials: a mark that every later stage hands on.

Stage ``fetch`` leaves the mark as ``skipped.json`` in the raw folder. A pack carries it as an attribute and has no
group, a run folder holds the file again, and the facts of a cell name it: the report says what is missing and what to
do, and everything else of the suite goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.files import atomic_path, read_json, write_json

FILE = "skipped.json"
ATTRIBUTE = "skipped"


@dataclass(frozen=True)
class Skipped:
    """The mark.

    Attributes:
        dataset: What is left out.
        reason: Why, such as ``needs credentials``.
        do: What brings it in.
    """

    dataset: str
    reason: str
    do: str

    def __str__(self) -> str:
        return f"{self.dataset} is skipped: {self.reason}. {self.do}"

    def write(self, folder: Path) -> None:
        """Leaves the mark in a folder, atomically."""
        write_json(folder / FILE, asdict(self))

    def hand_on(self, folder: Path | None) -> None:
        """Says so, and puts a folder that holds nothing but the mark in the place of ``folder``, atomically."""
        print(self)
        if folder is not None:
            with atomic_path(folder) as fresh:
                fresh.mkdir()
                self.write(fresh)

    def attributes(self) -> dict[str, str]:
        """What a pack without images carries."""
        return {ATTRIBUTE: json.dumps(asdict(self), sort_keys=True)}

    def draw(self, path: Path) -> None:
        """A small picture that says so, in the place of a contact sheet."""
        from PIL import Image, ImageDraw

        image = Image.new("L", (360, 40), 255)
        ImageDraw.Draw(image).text((8, 14), f"{self.dataset}: skipped, {self.reason}", fill=0)
        with atomic_path(path) as fresh:
            image.save(fresh, format="PNG")


def in_folder(folder: Path) -> Skipped | None:
    """The mark in a raw folder or a run folder, if there is one.

    Raises:
        BenchmarkError: If the file is no mark.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return of_record(read_json(path))
    except ValueError as error:
        raise BenchmarkError(f"{path} is no mark", got=str(error), do="Delete it and run `dvc repro`.") from error


def in_attributes(attributes: Mapping[str, Any]) -> Skipped | None:
    """The mark in the attributes of a pack, if there is one."""
    return of_record(json.loads(str(attributes[ATTRIBUTE]))) if ATTRIBUTE in attributes else None


def of_record(record: Any) -> Skipped:
    """A mark from the fields of a JSON object.

    Raises:
        BenchmarkError: If it has not exactly the fields of a mark, each a text.
    """
    names = {field.name for field in fields(Skipped)}
    if not isinstance(record, dict) or set(record) != names or not all(isinstance(v, str) for v in record.values()):
        raise BenchmarkError("mark of a skipped data set", got=record, expected=f"texts {', '.join(sorted(names))}")
    return Skipped(**record)
