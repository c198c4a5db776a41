"""The figures that the stage drew: which of them a page shows, and why where it shows none.

``figures/captions.json`` tells of each figure, also of those that could not be drawn. They show all methods of a suite
at once, so a selection of methods has none.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from benchmark.errors import BenchmarkError
from benchmark.files import read_json
from benchmark.report.png import SIGNATURE, data_uri
from benchmark.report.records import Results, Task

KINDS = ("forest.svg", "slopes.svg", "scatter.svg", "cost.svg", "reliability.svg", "heatmaps.png")
"""Ends of the files of a task, in the order of the page."""

OVERVIEW = "overview.svg"
"""What a suite of many tasks has instead."""

CAPTIONS = "captions.json"
ROOM = 2_500_000
"""Bytes of figures that one page holds; further ones are linked, so that a page of many tasks stays small."""

AGAIN = "Run the stage report again."


@dataclass(frozen=True)
class Drawn:
    """One figure.

    Attributes:
        file: Its place in the results folder.
        title: What it shows.
        caption: How it is read.
        alt: What it says, for those who do not see it.
        uri: The file itself as text; empty where the page links to it.
    """

    file: str
    title: str
    caption: str
    alt: str
    uri: str


@dataclass(frozen=True)
class Figures:
    """The figures of a task or a suite, and what is said of those that are not there."""

    shown: list[Drawn] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Characters that the page spends on them."""
        return sum(len(one.uri) for one in self.shown)


def read_figures(results: Results, task: Task, room: int = ROOM) -> Figures:
    """The figures of a task.

    Args:
        results: Of the suite.
        task: One of its tasks.
        room: Bytes that the page has left for figures; those beyond are linked.

    Raises:
        BenchmarkError: If a figure is missing or broken, or ``captions.json`` lacks what is said of it.
    """
    if results.selection is not None:
        return Figures(absent=["The drawn figures show every method and metric of the suite: a selection has none."])
    told = _captions(results.folder)
    if told is None:
        return Figures(absent=["No figure was drawn yet: the stage report, which dvc repro runs, draws them."])
    if OVERVIEW in told:
        return Figures(absent=["A suite of so many tasks has one figure for all of them, an overview."])
    found = _read(results.folder, told, [f"{task.key}-{kind}" for kind in KINDS], f"{task.key}: ", room)
    return found if found.shown or found.absent else Figures(absent=["No figure of this task was asked for."])


def read_overview(results: Results, room: int = ROOM) -> Figures:
    """The figure of all tasks of a suite, where it has one; as :func:`read_figures`."""
    told = None if results.selection is not None else _captions(results.folder)
    return Figures() if told is None else _read(results.folder, told, [OVERVIEW], "", room)


def _read(folder: Path, told: dict[str, object], names: Sequence[str], prefix: str, room: int) -> Figures:
    figures = Figures()
    for name in names:
        if name not in told:
            continue
        title, caption, alt = (_words(told, name, part) for part in ("title", "caption", "alt"))
        title = title.removeprefix(prefix)
        title = title[:1].upper() + title[1:]
        if not alt:  # so a figure is marked that could not be drawn; the caption says why
            figures.absent.append(f"{title}. {caption}")
            continue
        try:
            uri = _uri(name, (folder / "figures" / name).read_bytes())
        except OSError as error:
            raise BenchmarkError(f"figure {name} cannot be read", got=str(error), do=AGAIN) from error
        room -= len(uri)
        figures.shown.append(Drawn(f"figures/{name}", title, caption, alt, uri if room >= 0 else ""))
    return figures


def _captions(folder: Path) -> dict[str, object] | None:
    """What is told of every figure; ``None`` where none was drawn."""
    path = folder / "figures" / CAPTIONS
    if not path.is_file():
        return None
    try:
        found = read_json(path)
    except ValueError as error:
        raise BenchmarkError(f"figures/{CAPTIONS} cannot be read", got=str(error), do=AGAIN) from error
    if not isinstance(found, dict):
        raise BenchmarkError(f"figures/{CAPTIONS}", got=type(found).__name__, expected="an object by file name")
    return found


def _words(told: dict[str, object], name: str, part: str) -> str:
    entry = told[name]
    words = entry.get(part) if isinstance(entry, dict) else None
    if not isinstance(words, str):
        raise BenchmarkError(f"figures/{CAPTIONS}: {part} of {name}", got=words, expected="a text", do=AGAIN)
    return words


def _uri(name: str, content: bytes) -> str:
    """The figure as text that a page can hold; as an image it can neither run nor load anything."""
    if name.endswith(".png"):
        if not content.startswith(SIGNATURE):
            raise BenchmarkError(f"figure {name} is no PNG image", do=AGAIN)
        return data_uri(content)
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 (a file of our own; a browser shows nothing of a broken one)
    except ElementTree.ParseError as error:
        raise BenchmarkError(f"figure {name} is no SVG image", got=str(error), do=AGAIN) from error
    if not root.tag.endswith("svg"):
        raise BenchmarkError(f"figure {name} is no SVG image", got=root.tag, expected="svg", do=AGAIN)
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")
