"""Chosen values in a method's YAML: everything else in it stays as somebody wrote it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmark.errors import BenchmarkError
from benchmark.files import write_text
from benchmark.tune.settings import set_value

MARK = "# Tuned: "


def with_values(text: str, values: Mapping[str, Any], note: str) -> str:
    """A YAML text with other values and a first line that says where they are from.

    Args:
        text: The method's YAML.
        values: By dotted name; blocks that are missing are added at the end.
        note: Goes into the first line, in place of an earlier note.

    Raises:
        BenchmarkError: If the text cannot be changed without harm.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 10_000
    tree, wanted = yaml.load(text), YAML(typ="safe", pure=True).load(text)
    for name, value in values.items():
        set_value(tree, name, value)
        set_value(wanted, name, value)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    kept = [line for line in stream.getvalue().splitlines() if not line.startswith(MARK)]
    result = "\n".join([f"{MARK}{note}", *kept]) + "\n"
    if YAML(typ="safe", pure=True).load(result) != wanted:
        raise BenchmarkError("the method's YAML cannot be changed", got=dict(values), do="Write the values by hand.")
    return result


def write_values(path: Path, values: Mapping[str, Any], note: str) -> None:
    """Changes the file, atomically."""
    write_text(path, with_values(path.read_text(encoding="utf-8"), values, note))
