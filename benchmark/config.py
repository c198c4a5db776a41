"""Every YAML file as a checked model: unknown keys are refused, numbers are numbers."""

from __future__ import annotations

from pathlib import Path
from reprlib import Repr
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from benchmark.api import Bias, Options
from benchmark.cell import Cell, check_name, expand
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.registry import BIASES, METHODS

Model = TypeVar("Model", bound=BaseModel)


class Matrix(Options):
    """The lists whose product is the suite."""

    dataset: tuple[str, ...]
    bias: tuple[str, ...]
    method: tuple[str, ...]

    @field_validator("*")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("the list is empty, so the suite would be too: name at least one")
        if len(set(names)) != len(names):
            raise ValueError(f"{list(names)} names something twice")
        return tuple(check_name("matrix", name) for name in names)


class Suite(Options):
    """params.yaml: the matrix lists and the seeds, nothing else."""

    matrix: Matrix
    seeds: tuple[int, ...] = Field(min_length=1)

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or min(seeds, default=0) < 0:
            raise ValueError(f"seeds must be different and not negative, got {list(seeds)}")
        return seeds

    def cells(self) -> list[Cell]:
        return expand(self.matrix.dataset, self.matrix.bias, self.matrix.method)


class Optimizer(Options):
    """The update rule."""

    name: Literal["sgd", "adamw"]
    lr: float = Field(gt=0, description="largest learning rate of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(0.0, ge=0)


class Training(Options):
    """What the harness does around a method's loss; equal for all methods of a suite where the method allows."""

    backbone: str = Field(description="a timm model name")
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    optimizer: Optimizer
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    clip_norm: float | None = Field(None, gt=0, description="largest gradient norm")
    shift_px: int = Field(0, ge=0, description="augmentation: random shifts of image and mask, up to this far")
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="of the forward; what is trained through an explainer's maps keeps float32"
    )
    tf32: bool = Field(False, description="CUDA may round the factors of products and convolutions to TF32")


class MethodFile(Options):
    """A method's YAML: one configuration of a registered method."""

    method: str = Field("", description="the registered method (default: the file's name)")
    version: int = Field(description="raise it when the numbers of this method change on purpose")
    training: Training
    options: dict[str, Any] = Field(default_factory=dict, description="the method's own settings")


def read_yaml(path: Path) -> Any:
    """Reads YAML 1.2 without running anything in it.

    Raises:
        BenchmarkError: If the file is missing or does not parse.
    """
    if not path.is_file():
        raise BenchmarkError(f"settings file {path} is missing", do="Check the name in params.yaml, or write the file.")
    try:
        return YAML(typ="safe", pure=True).load(path)
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist
        raise BenchmarkError(f"settings file {path} is not YAML", got=" ".join(str(error).split())) from error


def brief(value: object) -> str:
    """A value as an error shows it: aliases of a few lines of YAML can stand for gigabytes."""
    limits = Repr()
    limits.maxlevel, limits.maxdict, limits.maxlist, limits.maxtuple = 3, 20, 10, 10
    limits.maxstring = limits.maxother = limits.maxlong = 200
    return limits.repr(value)


def parse(model: type[Model], content: Any, where: str) -> Model:
    """Checks settings against their model.

    Raises:
        BenchmarkError: Naming the file, every wrong key, its value and what was expected.
    """
    try:
        return model.model_validate(content if content is not None else {})
    except ValidationError as error:
        known = ", ".join(model.model_fields)
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']} (got {brief(e['input'])})" for e in error.errors()
        )
        raise BenchmarkError(
            f"settings in {where}: {wrong}", expected=f"keys among {known}", do="Edit the file."
        ) from error


def load(model: type[Model], path: Path) -> Model:
    """Reads and checks one settings file."""
    return parse(model, read_yaml(path), str(path))


def load_bias(path: Path) -> Bias:
    """The bias of a YAML; the registered bias is the file's name, or what its key ``bias`` names.

    So ``corner98.yaml`` can plant the marks of ``corner`` with a correlation below 1.

    Raises:
        BenchmarkError: As :func:`load`, or if nothing is registered under the name.
    """
    content = read_yaml(path)
    name = path.stem
    if isinstance(content, dict):
        name = content.pop("bias", name)
    if name not in BIASES:
        raise_unknown("bias", name, BIASES, do=f"Install the package that brings it, or mend {path}.")
    kind = BIASES.get(name)
    bias: Bias = kind(parse(kind.Settings, content, str(path)))
    return bias


def load_method(path: Path) -> MethodFile:
    """Reads and checks a method's YAML; the registered method is the file's name where the file names none.

    So ``isnet_sgd.yaml`` and ``isnet_adamw.yaml`` can both train ``isnet``. The method's code is not imported.

    Raises:
        BenchmarkError: As :func:`load`; or if nothing is registered under the method's name, or the file's name is
            that of another registered method, under which its numbers would go.
    """
    name = path.stem
    if not path.is_file() and name not in METHODS:
        raise_unknown("method", name, METHODS, do=f"Or write {path} with a key 'method' that names one of them.")
    settings = load(MethodFile, path)
    method = settings.method or name
    if method not in METHODS:
        raise_unknown("method", method, METHODS, do=f"Install the package that brings it, or mend {path}.")
    if method != name and name in METHODS:
        raise BenchmarkError(
            f"{path} bears the name of a registered method and names another",
            got=f"method: {method}",
            expected=f"method: {name}, or nothing",
            do="Rename the file.",
        )
    return settings.model_copy(update={"method": method})
