"""What made a number: hashes of code, data and settings, and versions of packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

TRAINING_CODE = (
    "isnet",
    "baselines",
    "benchmark/training",
    "benchmark/api.py",
    "benchmark/backbone.py",
    "benchmark/config.py",
    "benchmark/predictions.py",
    "benchmark/registry.py",
    "benchmark/seeding.py",
)
"""The sources that decide a trained model: dependencies of the train stage, and part of its fingerprint."""

PACKAGES = ("torch", "timm", "numpy", "lightning-fabric", "captum")


def source_hash(parts: Iterable[str] = TRAINING_CODE, root: Path = ROOT) -> str:
    """SHA-256 over the names and contents of the Python files of the given files and folders."""
    digest = hashlib.sha256()
    for part in parts:
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def fingerprint(facts: dict[str, Any]) -> str:
    """SHA-256 of the facts' canonical JSON."""
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that numbers depend on."""
    return {name: version(name) for name in PACKAGES}
