"""What made each trained seed of a cell beside its settings: commit, time and machine.

``results/<suite>/made/<cell>.json`` holds one entry a seed. It lies beside the trained models and not in them, whose
bytes depend on nothing but code, settings and data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.files import read_json

Entry = dict[str, Any]
FIELDS = ("commit", "dirty", "started", "seconds", "device", "cpu", "threads", "torch", "processes", "at_once", "why")
"""Of an entry: ``commit`` and whether code or settings differed from it; when the training began (UTC) and how long it
took in all its processes; ``processes`` of this one training, and trainings ``at_once``; ``why`` a field is empty."""

UNKNOWN: Entry = dict.fromkeys(FIELDS)
NO_RECORD = "no record"


def read_made(path: Path) -> dict[str, Entry]:
    """The entries of a cell by seed; none where the cell was skipped, or trained before there were entries.

    Raises:
        BenchmarkError: If the file is there and holds something else.
    """
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except ValueError as error:
        raise BenchmarkError(f"{path} is damaged", got=str(error), do="Run `dvc repro`.") from error
    if not isinstance(found, dict) or not all(isinstance(e, dict) and set(e) == set(FIELDS) for e in found.values()):
        raise BenchmarkError(f"entries in {path}", got=found, expected=f"by seed: {', '.join(FIELDS)}")
    return found
