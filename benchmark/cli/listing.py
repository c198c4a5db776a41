"""List methods, datasets, biases, metrics, explainers and suites, with origin, needs and source.

A broken extension is listed with its error. Suites are those of the working directory.
"""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import BenchmarkError
from benchmark.registry import REGISTRIES, Registry

SUITES = "suites"


@dataclass(frozen=True)
class Row:
    """One extension.

    Attributes:
        target: ``module:attribute``.
        origin: ``built-in`` or distribution and version.
        needs: What a method sees beside images and labels; empty for the other kinds.
        error: Why it cannot be used; empty for what works.
    """

    name: str
    target: str
    origin: str
    needs: str = ""
    source: str = ""
    error: str = ""

    def cells(self) -> list[str]:
        needs = [f"needs {self.needs}"] if self.needs else []
        return [self.name, self.origin, *needs, self.source]


@dataclass(frozen=True)
class SuiteRow:
    """One suite of the working directory."""

    name: str
    file: str
    cells_and_seeds: str = ""
    error: str = ""

    def cells(self) -> list[str]:
        return [self.name, self.file, self.cells_and_seeds]


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    kinds = [*REGISTRIES, SUITES]
    parser.add_argument("kind", nargs="?", choices=["all", *kinds], default="all", help="default: all of them")
    parser.add_argument("--json", action="store_true", help="one JSON object: kind -> rows")


def run(arguments: argparse.Namespace) -> None:
    """Prints the rows of one kind, or of all."""
    kinds = [*REGISTRIES, SUITES] if arguments.kind == "all" else [arguments.kind]
    found: dict[str, list[Row] | list[SuiteRow]] = {
        kind: list(suites()) if kind == SUITES else [row_of(REGISTRIES[kind], name) for name in REGISTRIES[kind]]
        for kind in kinds
    }
    if arguments.json:
        print(json.dumps({kind: [asdict(row) for row in rows] for kind, rows in found.items()}, indent=1))
        return
    for kind, rows in found.items():
        print(f"{kind}:" if rows else f"{kind}: none here")
        for line in table(rows):
            print(f"  {line}")


def row_of(registry: Registry, name: str) -> Row:
    """What is known of a name; it is imported for that."""
    entry = registry.table()[name]
    try:
        found = registry.get(name)
    except BenchmarkError as error:
        return Row(name, entry.target, entry.origin, error=str(error))
    needs = found.needs.describe() if hasattr(found, "needs") else ""
    return Row(name, entry.target, entry.origin, needs, source_of(found))


def source_of(found: Any) -> str:
    """The paper: an attribute, or of a function what its docstring tells under ``Source:``, else its first line."""
    if hasattr(found, "source"):
        return str(found.source)
    lines = [line.strip() for line in (inspect.getdoc(found) or "").splitlines()]
    return lines[lines.index("Source:") + 1] if "Source:" in lines[:-1] else next(iter(lines), "")


def suites() -> Iterator[SuiteRow]:
    """The default suite and those of ``pipelines/*/params.yaml``."""
    for file in [Path("params.yaml"), *sorted(Path("pipelines").glob("*/params.yaml"))]:
        if file.is_file():
            name = file.parent.name or "default"
            try:
                suite = paths.SuitePaths(name).suite()
            except BenchmarkError as error:
                yield SuiteRow(name, str(file), error=str(error))
                continue
            cells, seeds = len(suite.cells()), len(suite.seeds)
            yield SuiteRow(name, str(file), f"{cells} cells x {seeds} seeds = {cells * seeds} trainings")


def table(rows: list[Row] | list[SuiteRow]) -> Iterator[str]:
    """Lines with aligned columns; the last is as long as it is, and an error takes the place of what is not known."""
    lines = [[*row.cells()[:2], f"BROKEN: {row.error}"] if row.error else row.cells() for row in rows]
    last = max((len(line) for line in lines), default=1) - 1
    widths = [max((len(line[at]) for line in lines if at < len(line) - 1), default=0) for at in range(last)]
    for line in lines:
        padded = [text.ljust(width) for text, width in zip(line[:-1], widths, strict=False)]
        yield "  ".join([*padded, line[-1]]).rstrip()
