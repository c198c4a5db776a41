"""A made-up suite ``toy`` with two methods, records of a third, and the commands as a user types them."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from benchmark import paths
from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = int((ROOT / "RULES.md").read_text(encoding="utf-8").splitlines()[0].rpartition(" ")[2])
TASK = "toy-corner"
DATA = "0123456789ab" + "c" * 52
N, K, SEEDS = 40, 3, 3
LABEL = np.arange(N) % K
ID = np.array([f"image_{i:02d}" for i in range(N)])
STRENGTH = {"iid": 3.0, "deceiving": 1.0}


def images(**changes: np.ndarray) -> Shown:
    return Shown(**{"id": ID, "unit": ID, "source": np.full(N, "here"), "label": LABEL} | changes)


def predictions(number: int, seeds: int = SEEDS, **changes: object) -> Predictions:
    """Logits that know the label less on ``deceiving``, and more the higher the number."""
    rng = np.random.default_rng(number)
    shared = np.random.default_rng(0).normal(size=(N, K))
    logits = {
        v: (shared + rng.normal(0, 0.7, (seeds, N, K)) + number * s * np.eye(K)[LABEL] / 4).astype(np.float32)
        for v, s in STRENGTH.items()
    }
    tested = dict.fromkeys(STRENGTH, images())
    return Predictions(np.arange(seeds), **{"tested": tested, "logits": logits, "attributes": {"data": DATA}} | changes)


def put(method: str, stored: Predictions, suite: str = "toy", task: str = TASK, **facts: object) -> None:
    """Stores a cell below the working directory."""
    files, cell = paths.SuitePaths(suite), Cell(*task.split("-"), method)
    stored.write(files.predictions(cell))
    told = {**vars(cell), "needs": "nothing", "data": DATA[:12], "code": method.ljust(12, "0")} | facts
    files.facts(cell).parent.mkdir(parents=True, exist_ok=True)
    files.facts(cell).write_text(json.dumps(told))


def toy_suite() -> None:
    put("erm", predictions(2))
    put("isnet", predictions(4), needs="training masks")


def table(stored: Predictions) -> list[list[str]]:
    """The rows of a CSV file of predictions, its head first."""
    classes = next(iter(stored.logits.values())).shape[-1]
    rows = [["id", "variant", "seed", *(f"logit_{k}" for k in range(classes))]]
    for variant, runs in stored.logits.items():
        for seed, logits in zip(stored.seeds, runs, strict=True):
            for name, row in zip(stored.tested[variant].id, logits, strict=True):
                rows.append([str(name), variant, str(seed), *(repr(float(value)) for value in row)])
    return rows


def write_rows(path: Path, rows: list[list[str]]) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    return path


def by_hand(stored: Predictions, **changes: object) -> dict:
    """A record by the words of docs/submit.md alone: with struct and hashlib, without the package's own code."""
    shown = {}
    for variant, tested in stored.tested.items():
        lines = "".join(f"{name}\t{label}\n" for name, label in zip(tested.id, tested.label, strict=True))
        shown[variant] = {"count": len(tested.id), "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    entries = [
        {"variant": variant, "seed": int(seed), "float32": packed(logits.ravel().tolist())}
        for variant, runs in stored.logits.items()
        for seed, logits in zip(stored.seeds, runs, strict=True)
    ]
    record = {
        "schema_version": 1,
        "protocol": PROTOCOL,
        "suite": "toy",
        "task": TASK,
        "method": "mine",
        "sees": {},
        "data": DATA,
        "classes": K,
        "seeds": stored.seeds.tolist(),
        "images": shown,
        "logits": entries,
    }
    return signed(record | changes)


def packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def signed(record: dict) -> dict:
    """With the hash that belongs to it."""
    body = {key: value for key, value in record.items() if key not in ("sha256", "scores")}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return record | {"sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}
