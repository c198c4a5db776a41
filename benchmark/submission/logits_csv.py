"""Logits from a table ``id,variant,seed,logit_0,logit_1,...``: what any language can write."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.predictions import Predictions
from benchmark.submission.stored import StoredTask

Place = tuple[str, int]
"""Variant and seed."""

WHOLE = re.compile(r"[0-9]{1,10}")


def read_logits(path: Path, stored: StoredTask) -> Predictions:
    """The predictions of such a table, rows in any order, for the images of the task.

    Raises:
        BenchmarkError: If the file cannot be read, a row does not parse, names what the task does not have or comes
            twice, or an image lacks a row for a variant and seed.
    """
    rows = {variant: {str(name): row for row, name in enumerate(of.id)} for variant, of in stored.tested.items()}
    found: dict[Place, Floats] = {}
    there: dict[Place, list[bool]] = {}
    for where, variant, seed, name, logits in _rows(path, stored):
        if name not in rows[variant]:
            raise BenchmarkError(
                f"id in {where}",
                got=name,
                expected=f"a test image of {stored.task} on {variant}, such as {next(iter(rows[variant]))}",
            )
        row, place = rows[variant][name], (variant, seed)
        if place not in found:
            found[place] = np.zeros((len(rows[variant]), stored.classes))
            there[place] = [False] * len(rows[variant])
        if there[place][row]:
            raise BenchmarkError(
                f"{where} is there twice", got=f"{name}, {variant}, seed {seed}", expected="one row each"
            )
        found[place][row], there[place][row] = logits, True
    seeds = sorted({seed for _, seed in found})
    if not seeds:
        raise BenchmarkError(f"{path.name} holds no row", expected="a row for each image, variant and seed")
    for variant, images in rows.items():
        for seed in seeds:
            lost = [name for name, row in images.items() if not there.get((variant, seed), [False] * len(images))[row]]
            if lost:
                raise BenchmarkError(
                    f"{path.name} lacks rows of {variant}, seed {seed}",
                    got=f"{len(images) - len(lost)} of {len(images)} images; the first that lacks one is {lost[0]}",
                    expected="a row for each image, variant and seed",
                )
    whole = {variant: np.stack([found[variant, seed] for seed in seeds]) for variant in rows}
    return Predictions(seeds=np.array(seeds), tested=stored.tested, logits=whole)


def _rows(path: Path, stored: StoredTask) -> Iterator[tuple[str, str, int, str, Floats]]:
    """Every row with its place, variant, seed, id and logits."""
    head = ["id", "variant", "seed", *(f"logit_{k}" for k in range(stored.classes))]
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.reader(stream, strict=True)
            if (first := next(table, [])) != head:
                raise BenchmarkError(f"columns of {path.name}", got=",".join(first)[:200], expected=",".join(head))
            for line in table:
                yield _row(f"line {table.line_num} of {path.name}", line, head, stored)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read", got=error.strerror, expected="a CSV file") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise BenchmarkError(
            f"{path.name} is no CSV", got=str(error), expected="UTF-8, commas, double quotes"
        ) from error


def _row(where: str, line: list[str], head: list[str], stored: StoredTask) -> tuple[str, str, int, str, Floats]:
    if len(line) != len(head):
        raise BenchmarkError(where, got=f"{len(line)} fields", expected=f"{len(head)}")
    name, variant, seed = line[:3]
    if variant not in stored.tested:
        raise_unknown(f"variant in {where}", variant, stored.tested)
    if not WHOLE.fullmatch(seed):
        raise BenchmarkError(f"seed in {where}", got=seed, expected="a whole number, 0 or more")
    try:
        logits = np.array([float(text) for text in line[3:]])
    except ValueError as error:
        raise BenchmarkError(f"logits in {where}", got=str(error), expected="numbers such as -1.25e3") from error
    if not (np.abs(logits) <= np.finfo(np.float32).max).all():  # NaN is not, either
        raise BenchmarkError(f"logits in {where}", got=line[3:], expected="finite float32 numbers")
    return where, variant, int(seed), name, logits
