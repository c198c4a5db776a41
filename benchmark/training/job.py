"""What one training process is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.cell import Cell
from benchmark.config import Training
from benchmark.files import read_json
from benchmark.provenance import code_hash, fingerprint, package_versions

RECORD = "run.json"
"""In the folder of a finished seed: what made it."""

THREADS = 1
"""Of a training: several seeds share the cores, and the order of sums stays the same on any machine."""


@dataclass(frozen=True)
class Job:
    """One seed of one cell.

    Attributes:
        method: The registered method; the cell is named after one configuration of it.
        pack: The biased pack.
        pack_sha256: Hash of the pack's content.
        options: The method's own settings, as in its YAML.
        folder: Where the finished seed goes (``…/seed-0``); the checkpoint lies beside it.
    """

    cell: Cell
    method: str
    seed: int
    pack: Path
    pack_sha256: str
    training: Training
    options: dict[str, Any]
    folder: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.checkpoint")

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds this job's result (a folder appears by one rename, so it is whole)."""
        record = folder / RECORD
        return record.is_file() and bool(read_json(record)["fingerprint"] == self.fingerprint())

    def fingerprint(self) -> str:
        """Equal for two jobs that must end in equal bits on one machine; checkpoints and results carry it."""
        return fingerprint(
            {
                "cell": asdict(self.cell),
                "method": self.method,
                "seed": self.seed,
                "data": self.pack_sha256,
                "training": self.training.model_dump(),
                "options": self.options,
                "code": code_hash(self.method),
                "packages": package_versions(),
            }
        )
