"""Dotted names of a method's settings: which there are, their values, and settings with other values."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmark.config import MethodFile, Training, load, parse
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.registry import METHODS
from benchmark.tune.space import Search

SHARED = tuple(f"training.{name}" for name in ("backbone", "epochs", "batch_size", "shift_px", "precision", "tf32"))
"""What all methods of a task share (rule 9), so that no search may change it."""


def parts_of(settings: MethodFile) -> dict[str, BaseModel]:
    """The settings with every default filled in."""
    where = f"options of method {settings.method!r}"
    return {
        "training": settings.training,
        "options": parse(METHODS.get(settings.method).Settings, settings.options, where),
    }


def leaves(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a settings object, those inside of others too."""
    for field in type(model).model_fields:
        name, value = f"{prefix}.{field}", getattr(model, field)
        if isinstance(value, BaseModel):
            yield from leaves(value, name)
        else:
            yield name, value


def values_of(settings: MethodFile) -> dict[str, Any]:
    """Every setting by its dotted name."""
    return {name: value for part, model in parts_of(settings).items() for name, value in leaves(model, part)}


def changed(settings: MethodFile, values: Mapping[str, Any], where: str) -> MethodFile:
    """The settings with other values, checked.

    Raises:
        BenchmarkError: If the method does not take one of them.
    """
    content = copy.deepcopy({"training": settings.training.model_dump(), "options": settings.options})
    for name, value in values.items():
        set_value(content, name, value)
    parse(METHODS.get(settings.method).Settings, content["options"], where)
    training = parse(Training, content["training"], where)
    return settings.model_copy(update={"training": training, "options": content["options"]})


def set_value(tree: Any, name: str, value: Any) -> None:
    """Sets what a dotted name addresses; a block that is empty or missing is made."""
    *above, last = name.split(".")
    for key in above:
        if tree.get(key) is None:
            tree[key] = {}
        tree = tree[key]
    tree[last] = value


def load_search(path: Path, settings: MethodFile) -> Search:
    """Reads a search file and checks it against the method.

    Raises:
        BenchmarkError: If it names a setting that the method does not have (with close names) or that all methods
            share, or a value that the method does not take.
    """
    search = load(Search, path)
    known = values_of(settings)
    for name, values in search.space.items():
        if name in SHARED:
            raise BenchmarkError(
                f"setting in {path}", got=name, expected="a setting that methods need not share (RULES.md, rule 9)"
            )
        if name not in known:
            raise_unknown(f"setting in {path}", name, known.keys() - set(SHARED))
        for value in values.ends:
            changed(settings, {name: value}, f"{path}, {name} = {value!r}")
    return search
