"""What made a number: hashes of code, data and settings, and versions of packages.

The code of a trained model is the training program and the method's module with all that they import, and of it only
what runs: comments and docstrings do not count, so an explanation can be mended without training anything again. An
edit that was shown to change no bit counts as none (:mod:`benchmark.same_bits`).
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.registry import METHODS, Entry
from benchmark.same_bits import first_of

ROOT = Path(__file__).resolve().parent.parent

OURS = ("isnet", "benchmark", "baselines")
TRAINER = "benchmark.training.seed"
"""The program that trains one seed."""

LEFT_OUT = frozenset({"benchmark", "benchmark.registry", "benchmark.same_bits"})
"""Modules that change no model: the version's number, names of objects, whose own modules are hashed, and of code."""

CODE = (
    "isnet",
    "baselines",
    "benchmark/api",
    "benchmark/training",
    *(f"benchmark/{name}.py" for name in ("backbone", "cell", "config", "data/__init__", "data/pack", "data/rules")),
    *(f"benchmark/{name}.py" for name in ("errors", "files", "predictions", "provenance", "registry", "seeding")),
    "results/same_bits.csv",
)
"""Where all code lies that any method of ours runs in training: what the stage ``code`` reads."""

PACKAGES = ("torch", "timm", "numpy", "lightning-fabric", "captum")


def imports(source: str, package: str) -> set[str]:
    """Every module that a source in ``package`` may import, at any depth, with the packages around it.

    ``from a import b`` names ``a.b`` too, whether that is a module or not.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {around for name in found for around in enclosing(name)}


def enclosing(name: str) -> Iterator[str]:
    """A module's name and those of the packages around it, whose ``__init__`` runs first."""
    parts = name.split(".")
    return (".".join(parts[:stop]) for stop in range(1, len(parts) + 1))


def file_of(module: str, root: Path) -> Path | None:
    """The source of a module below ``root``."""
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def closure(start: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """Modules of this project that the given ones import, directly or through others, with their files."""
    waiting, found = [around for name in start for around in enclosing(name)], dict[str, Path]()
    while waiting:
        name = waiting.pop()
        file = file_of(name, root) if name.partition(".")[0] in OURS else None
        if file is None or name in found or name in LEFT_OUT:
            continue
        found[name] = file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        waiting += imports(file.read_text(encoding="utf-8"), package)
    return dict(sorted(found.items()))


def meaning(source: str) -> str:
    """The source without comments, docstrings, blank lines and spaces at the end of lines."""
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + "\n"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    kept = (line.rstrip() for line in lines)
    return "\n".join(line for line in kept if line)


@cache
def code_hash(method: str) -> str:
    """SHA-256 of the code that decides a trained model of a registered method: the oldest that gives the same bits.

    Raises:
        BenchmarkError: If nothing is registered under the name, or it cannot be used.
    """
    return first_of(raw_code_hash(method))


def raw_code_hash(method: str) -> str:
    """:func:`code_hash` of the code as it stands, whatever is known of older code."""
    return hash_of(METHODS.entry(method), TRAINER)


def hash_of(entry: Entry, *programs: str) -> str:
    """SHA-256 of the code of a registered object and of the programs that use it, with all that both import.

    What another package brings counts with its own file and its distribution's version.
    """
    module = entry.target.partition(":")[0]
    digest = hashlib.sha256()
    files = closure([*programs, module])
    if module.partition(".")[0] not in OURS:
        digest.update(f"{entry.origin}\0".encode())
        spec = find_spec(module)
        if spec is not None and spec.origin:
            text = Path(spec.origin).read_text(encoding="utf-8")
            files |= closure(imports(text, module.rpartition(".")[0])) | {module: Path(spec.origin)}
    for name, file in files.items():
        digest.update(f"{name}\0{meaning(file.read_text(encoding='utf-8'))}\0".encode())
    return digest.hexdigest()


def fingerprint(facts: dict[str, Any]) -> str:
    """SHA-256 of the facts' canonical JSON."""
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that numbers depend on."""
    return {name: version(name) for name in PACKAGES}
