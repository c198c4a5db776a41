"""Some rows of a pack, without the others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.api import Ints
from benchmark.data.pack import Columns, opened
from benchmark.errors import BenchmarkError


def read_rows(path: Path, group: str, names: Iterable[str], rows: Ints) -> Columns:
    """The given columns of the given rows, in ascending order.

    Raises:
        BenchmarkError: If the file cannot be read, or lacks the group or a column.
    """
    with opened(path) as file:
        if group not in file or (lacking := [name for name in names if name not in file[group]]):
            what = f"the group {group!r}" if group not in file else f"{group}/{lacking[0]}"
            raise BenchmarkError(f"pack {path} lacks {what}", got=sorted(file), do="Run `dvc repro`.")
        columns = {name: np.asarray(file[group][name][rows]) for name in names}
    text = {name: np.char.decode(values, "utf-8") for name, values in columns.items() if values.dtype.kind == "S"}
    return columns | text
