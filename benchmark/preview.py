"""A bias on a few images: what the command ``preview`` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from benchmark import paths, skipped
from benchmark.api import NO_CODE, Bias, Images, Index, Ints, PlantedBias
from benchmark.config import parse, read_yaml
from benchmark.data.listing import changes
from benchmark.data.named import load_dataset
from benchmark.data.pack import IMAGES, class_names, names_of, read_attributes, read_columns, read_index
from benchmark.data.sheet import draw_sheet
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.inject import Subset, plant
from benchmark.plan import Marks, class_count
from benchmark.registry import BIASES
from benchmark.seeding import Draws

MOST_MARKS = 12
"""Marks in the last row, the first ones."""


def make_bias(name: str, changes: Mapping[str, Any]) -> Bias:
    """A bias with the settings of its YAML, if there is one, and changes to them.

    Raises:
        BenchmarkError: If there is no such bias, or a setting is wrong.
    """
    file = paths.bias_yaml(name)
    content = dict(read_yaml(file) or {}) if file.is_file() else {}
    registered = content.pop("bias", name)
    if registered not in BIASES:
        raise_unknown("bias", registered, BIASES)
    kind = BIASES.get(registered)
    where = f"{file} and the command line" if file.is_file() else f"the command line for bias {name!r}"
    given = {key: parsed(key, value) for key, value in changes.items()}
    bias: Bias = kind(parse(kind.Settings, content | given, where))
    return bias


def parsed(key: str, value: Any) -> Any:
    """A value from the command line, read as one of a YAML file.

    Raises:
        BenchmarkError: If it is not YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(value) if isinstance(value, str) else value
    except (YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        raise BenchmarkError(
            f"setting {key!r} on the command line", got=value, expected="a number, a word or a list such as [0.5, 1]"
        ) from error


@dataclass(frozen=True)
class Examples:
    """Some images of a data set.

    Attributes:
        images: Of as many classes and sources as there are.
        classes: How many classes the whole data set has.
        names: Of the classes; may be empty.
    """

    images: Images
    classes: int
    names: tuple[str, ...]


def example_images(dataset: str, count: int) -> Examples:
    """Some images of a data set, from its pack or its raw files.

    Raises:
        BenchmarkError: If neither its pack nor its raw files are there, or it was skipped.
    """
    pack, raw = paths.pack(dataset), paths.raw(dataset)
    if pack.is_file():
        index = read_index(pack)
        parts = [read_columns(pack, IMAGES, names_of(Images), slice(r, r + 1))[0] for r in choose(index, count)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in names_of(Images)}
        return Examples(Images(**columns), class_count(index), class_names(read_attributes(pack)))
    source = load_dataset(dataset)
    if mark := skipped.in_folder(raw):
        raise BenchmarkError(f"images of data set {dataset!r} are not here", got=mark.reason, do=mark.do)
    if not raw.is_dir():
        raise BenchmarkError(
            f"images of data set {dataset!r} are not here",
            got=f"neither {pack} nor {raw}",
            expected="its pack or its raw files",
            do=f"Run `python -m pipelines.fetch {dataset}`.",
        )
    index = source.index(raw)
    rows = choose(index, count)
    image, mask = source.pixels(raw, index, rows)
    images = Images(image=image, mask=mask, **index.take(rows).columns())
    return Examples(images, class_count(index), source.classes(raw))


def choose(index: Index, count: int) -> Ints:
    """Rows of images, the first of each class and source in turn."""
    kinds = np.stack([index.label.astype(str), index.source], axis=1)
    _, kind, size = np.unique(kinds, axis=0, return_inverse=True, return_counts=True)
    kind = kind.ravel()
    grouped, turn = np.argsort(kind, kind="stable"), np.empty(len(index), np.int64)
    turn[grouped] = np.arange(len(index)) - np.repeat(np.cumsum(size) - size, size)  # how many of its kind come before
    return np.sort(np.lexsort((kind, turn))[:count]).astype(np.int64)


def draw(path: Path, examples: Examples, bias: Bias) -> Iterator[str]:
    """Draws the sheet, and says of each row how many pixels its marks hold and how far they move them."""
    for title, subset in (rows := rows_of(examples, bias)).items():
        if subset.mark.any():
            mark = subset.mark != 0
            before = unmarked(examples.images, subset).image
            moved = np.nanmean(changes(before, subset.images.image, mark))
            yield f"{title}: marks of {mark.sum(axis=(1, 2)).mean():.0f} px, moved by {moved:.3f} of full brightness"
    if not isinstance(bias, PlantedBias):
        yield f"as it is: {len(examples.images)} images; this bias plants nothing, it only chooses images"
    draw_sheet(path, rows, examples.names)


def unmarked(images: Images, subset: Subset) -> Images:
    """The images of a subset as they lie in the data set."""
    place = {name: row for row, name in enumerate(images.id.tolist())}
    return images.take(np.array([place[name] for name in subset.images.id.tolist()]))


def rows_of(examples: Examples, bias: Bias) -> dict[str, Subset]:
    """What is drawn: titles of rows to images."""
    images = examples.images
    none = np.full(len(images), NO_CODE)
    rows = {"as it is": plant(images, none, bias, 1)}
    if not isinstance(bias, PlantedBias):
        return rows
    marks, draws = Marks(bias.settings, examples.classes), Draws(bias.settings.seed, images.id)
    rows["in training"] = plant(images, marks.trained(images.label, draws), bias, marks.codes)
    rows["deceiving"] = plant(images, marks.deceiving(images.label, draws), bias, marks.codes)
    codes = np.arange(min(marks.codes, MOST_MARKS))
    rows["every mark"] = plant(images.take(np.zeros(len(codes), np.int64)), codes, bias, marks.codes)
    return rows
