"""Add a method, a dataset or a bias to a suite: write its settings file and its name in params.yaml.

The settings file holds every setting with its default. One that is already there is kept as it is. Run it in the folder
that holds params.yaml.
"""

from __future__ import annotations

import argparse
import difflib
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from benchmark import paths
from benchmark.cli import settings
from benchmark.config import load_bias, load_method, parse
from benchmark.data.named import load_dataset
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import write_text
from benchmark.registry import BIASES, DATASETS, METHODS, Registry

KINDS = {"method": METHODS, "dataset": DATASETS, "bias": BIASES}


@dataclass(frozen=True)
class Change:
    """A file as it is (``None``: not there) and as it is to be."""

    path: Path
    before: str | None
    after: str

    def show(self) -> str:
        old = (self.before or "").splitlines(keepends=True)
        lines = difflib.unified_diff(old, self.after.splitlines(keepends=True), str(self.path), str(self.path))
        return "".join(lines).rstrip("\n")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("name", help="as `python -m benchmark list` shows it, or a settings file's name")
    parser.add_argument("--suite", default="default", help="which params.yaml (default: the one here)")
    parser.add_argument("--kind", choices=list(KINDS), help="where a method and a dataset share the name")
    parser.add_argument("--dry-run", action="store_true", help="show the changes and make none")


def run(arguments: argparse.Namespace) -> None:
    """Makes or shows the changes, and says what comes next."""
    suite = paths.SuitePaths(arguments.suite)
    if not suite.params.is_file():
        raise BenchmarkError(f"{suite.params} is missing", got=str(Path.cwd()), expected="a project with that suite")
    suite.suite()
    kind = arguments.kind or kind_of(arguments.name, suite)
    file = settings_file(kind, arguments.name, suite)
    params = suite.params.read_text(encoding="utf-8")
    changes = [file, Change(suite.params, params, appended(params, kind, arguments.name, suite.params))]
    for change in changes:
        if change.before == change.after:
            print(f"{change.path}: {'kept as it is' if change is file else 'names it already'}")
        elif arguments.dry_run:
            print(change.show())
        else:
            write_text(change.path, change.after)
            print(f"{change.path}: {'written' if change.before is None else 'changed'}")
    print(f"next: {next_step(kind, arguments.name, file, suite)}")


def kind_of(name: str, suite: paths.SuitePaths) -> str:
    """What is registered under the name, or configured under it by a settings file.

    Raises:
        BenchmarkError: If it is nothing, or more than one thing.
    """
    kinds = [kind for kind, registry in KINDS.items() if name in registry]
    if not kinds:  # another configuration of something registered is known by its file alone
        files = {"method": suite.method_yaml(name), "bias": paths.bias_yaml(name), "dataset": paths.dataset_yaml(name)}
        kinds = [kind for kind, file in files.items() if file.is_file()]
    if not kinds:
        known = [each for registry in KINDS.values() for each in registry]
        raise_unknown(
            "method, dataset or bias", name, known, do="Install the package that brings it, or mend its entry point."
        )
    if len(kinds) > 1:
        raise BenchmarkError(f"{name!r} is more than one thing", got=" and ".join(kinds), do="Add --kind.")
    return kinds[0]


def settings_file(kind: str, name: str, suite: paths.SuitePaths) -> Change:
    """The settings file with all defaults, or the one that is there, if it is one of this name.

    Raises:
        BenchmarkError: If the code behind the name is broken, or the file that is there does not fit it.
    """
    path = {"method": suite.method_yaml, "dataset": paths.dataset_yaml, "bias": paths.bias_yaml}[kind](name)
    registry: Registry = KINDS[kind]
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        if kind == "method":
            method = load_method(path)
            parse(registry.get(method.method).Settings, method.options, f"options in {path}")
        elif kind == "bias":
            load_bias(path)
        else:
            load_dataset(name)
        return Change(path, text, text)
    model = registry.get(name).Settings
    header = f"{name}, from {registry.entry(name).origin}. Written by `python -m benchmark add {name}`."
    if kind == "method":
        return Change(path, None, settings.method_text(header, model, paths.CONFIGS / "methods" / "erm.yaml"))
    return Change(path, None, settings.flat_text(header, model))


def appended(text: str, kind: str, name: str, path: Path) -> str:
    """params.yaml with the name at the end of its list, every other character kept.

    Raises:
        BenchmarkError: If the list is written in a way that this cannot add to.
    """
    tree = YAML().load(text)
    names = tree["matrix"][kind]
    if name in names:
        return text
    lines = text.splitlines(keepends=True)
    row, column = names.lc.item(len(names) - 1)
    if names.fa.flow_style():
        last = str(names[-1])
        stop = column + len(last) + (2 if lines[row][column] in "'\"" else 0)
        lines[row] = f"{lines[row][:stop]}, {name}{lines[row][stop:]}"
    else:
        if not lines[row].endswith("\n"):
            lines[row] += "\n"
        lines.insert(row + 1, f"{lines[row][:column]}{name}\n")
    changed = "".join(lines)
    wanted = YAML(typ="safe", pure=True).load(text)
    wanted["matrix"][kind].append(name)
    if YAML(typ="safe", pure=True).load(changed) != wanted:
        raise BenchmarkError(f"{path}: cannot add to matrix.{kind}", do=f"Write {name} into that list by hand.")
    return changed


def next_step(kind: str, name: str, file: Change, suite: paths.SuitePaths) -> str:
    """What the reader does now."""
    model = KINDS[kind].get(name).Settings if file.before is None else None
    missing = settings.required(model) if model is not None else []
    if missing:
        return f"write {', '.join(missing)} into {file.path}, then run `python -m pipelines.doctor {suite.name}`"
    graph = "" if suite.name == "default" else f" pipelines/{suite.name}/dvc.yaml"
    return f"`dvc repro{graph}` trains the new cells; `python -m pipelines.doctor {suite.name}` checks before"
