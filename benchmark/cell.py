"""Cells and their names: dataset x bias x method, written ``mnist5k-corner-isnet``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.errors import BenchmarkError

NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_name(kind: str, name: object) -> str:
    """Returns ``name`` if it can be part of a cell's name.

    DVC joins matrix values with ``-`` and addresses stages with ``@``: two cells whose names hold a
    ``-`` can silently become one (measured on DVC 3.67), hence the narrow rule.

    Raises:
        BenchmarkError: If the name is no string or holds anything but ``a-z 0-9 _``.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BenchmarkError(
            f"{kind} name is not usable in a cell",
            got="None" if name is None else name,
            expected="a lower-case letter, then lower-case letters, digits or '_'",
            do="Rename it (no '-', '@', ':', '/', space or capital).",
        )
    return name


@dataclass(frozen=True, order=True)
class Cell:
    """One dataset under one bias, learnt by one method; its seeds live inside it."""

    dataset: str
    bias: str
    method: str

    def __post_init__(self) -> None:
        for kind in ("dataset", "bias", "method"):
            check_name(kind, getattr(self, kind))

    @classmethod
    def parse(cls, key: str) -> Cell:
        """Reads ``dataset-bias-method``.

        Raises:
            BenchmarkError: If the key does not have exactly three usable names.
        """
        parts = key.split("-")
        if len(parts) != 3:
            raise BenchmarkError("cell key", got=key, expected="dataset-bias-method, such as 'mnist5k-corner-erm'")
        return cls(*parts)

    @property
    def key(self) -> str:
        return f"{self.dataset}-{self.bias}-{self.method}"

    @property
    def task(self) -> str:
        """The part that every method of the comparison shares."""
        return f"{self.dataset}-{self.bias}"


def expand(datasets: Sequence[str], biases: Sequence[str], methods: Sequence[str]) -> list[Cell]:
    """All cells of a suite, in the order in which DVC lists them."""
    return [Cell(*names) for names in itertools.product(datasets, biases, methods)]
