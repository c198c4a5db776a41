"""Settings classes as YAML files: every default written out, every description a comment."""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from benchmark.config import read_yaml

TRAINING = """\
training:
  backbone: test_resnet
  epochs: 10
  batch_size: 32
  optimizer: {name: sgd, lr: 0.05}
  clip_norm: 1.0
"""


def method_text(header: str, options: type[BaseModel], like: Path) -> str:
    """A method's YAML: version, the training of the file ``like`` (or ours, where it is missing), all options."""
    lines = [f"# {header}", "version: 1  # raise it when the numbers of this method change on purpose"]
    lines += [(training_of(like) if like.is_file() else TRAINING).rstrip("\n")]
    fields = list(field_lines(options, indent=2))
    if fields:
        lines += ["options:", *fields]
    return "\n".join(lines) + "\n"


def flat_text(header: str, settings: type[BaseModel]) -> str:
    """A dataset's or a bias's YAML."""
    fields = list(field_lines(settings, indent=0))
    return "\n".join([f"# {header}", *(fields or ["{}"])]) + "\n"


def required(settings: type[BaseModel]) -> list[str]:
    """Names of the settings that have no default: somebody has to write them."""
    return [name for name, field in settings.model_fields.items() if field.is_required()]


def training_of(path: Path) -> str:
    """The block ``training`` of a method's YAML, as it is written there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((row for row, line in enumerate(lines) if line.startswith("training:")), None)
    if start is None:
        return "training: " + flow(read_yaml(path).get("training", {}))
    stop = next((row for row in range(start + 1, len(lines)) if lines[row][:1] not in ("", " ", "#")), len(lines))
    return "\n".join(lines[start:stop])


def field_lines(settings: type[BaseModel], indent: int) -> Iterator[str]:
    """``# description`` and ``name: default`` of every field; a field without a default is left for the reader."""
    margin = " " * indent
    for name, field in settings.model_fields.items():
        about = "; ".join(filter(None, [description(settings, name), choices(field)]))
        if field.is_required():
            about = "; ".join(filter(None, ["to be written", about]))
        yield from textwrap.wrap(about, 118 - indent, initial_indent=f"{margin}# ", subsequent_indent=f"{margin}# ")
        if field.is_required():
            yield f"{margin}# {name}:"
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel) and type(default).model_fields:
            yield f"{margin}{name}:"
            yield from nested(default, indent + 2)
        else:
            yield f"{margin}{name}: {flow(plain(default))}"


def description(settings: type[BaseModel], name: str) -> str:
    """What a field says of itself, or what the field says that it overrides."""
    told = (base.model_fields[name].description for base in bases(settings) if name in base.model_fields)
    return " ".join(next(filter(None, told), "").split())


def bases(settings: type[BaseModel]) -> list[type[BaseModel]]:
    """The class and the settings classes above it, nearest first."""
    return [base for base in settings.__mro__ if issubclass(base, BaseModel)]


def nested(value: BaseModel, indent: int) -> Iterator[str]:
    """A settings object inside another, with its own values."""
    for name in type(value).model_fields:
        yield f"{' ' * indent}{name}: {flow(plain(getattr(value, name)))}"


def choices(field: FieldInfo) -> str:
    """The values of a ``Literal``."""
    if get_origin(field.annotation) is not Literal:
        return ""
    return "one of " + ", ".join(flow(value) for value in get_args(field.annotation))


def plain(value: Any) -> Any:
    """Models, tuples and sets as YAML's own kinds."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def flow(value: Any) -> str:
    """A value on one line, as YAML would write it; as JSON where that would not read back (a key ``:0``)."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 10_000
    stream = io.StringIO()
    yaml.dump(value, stream)
    text = stream.getvalue().removesuffix("...\n").strip()
    try:
        kept = yaml.load(f"key: {text}\n") == {"key": value}
    except YAMLError:
        kept = False
    return text if kept else json.dumps(value, ensure_ascii=False)
