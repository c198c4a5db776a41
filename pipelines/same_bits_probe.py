"""What :mod:`pipelines.same_bits` runs with the code of two commits: trains or scores, and prints hashes of the bytes.

It must run with older code than its own, so it uses of the project what does not change.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cell import Cell
from benchmark.config import load, load_method
from benchmark.files import sha256_file
from benchmark.provenance import hash_of
from benchmark.registry import METHODS
from benchmark.scoring import code as scoring_code
from benchmark.scoring.cell import score_cell
from benchmark.scoring.settings import Scoring
from benchmark.training import seed
from benchmark.training.job import Job

KEPT = ("weights.safetensors", "log.csv", "predictions.npz")
SEED = 3
LOOKED_AT = {"behaviour": 32, "guards": 8}
SCORING = Path("pipelines/configs/scoring.yaml")


Found = dict[str, dict[str, str]]
"""Of a configuration, or one and a suite's settings: name and hash of the code, and hash of what it computed."""


def job_of(file: Path, order: dict[str, Any]) -> Job:
    settings, pack = load_method(file), Path(order["pack"])
    training = settings.training.model_copy(update={"epochs": order["epochs"], "batch_size": 64})
    folder = Path(order["out"]) / file.parent.parent.name / file.stem / f"seed-{SEED}"
    cell = Cell("mnist5k", "corner", file.stem)
    return Job(cell, settings.method, SEED, pack, sha256_file(pack), training, settings.options, folder)


def train(file: Path, order: dict[str, Any]) -> Found:
    job = job_of(file, order)
    seed.run(job, lambda *_: None)
    digest = hashlib.sha256(b"".join((job.folder / name).read_bytes() for name in KEPT))
    code = hash_of(METHODS.entry(job.method), seed.__name__)
    return {str(file): {"name": job.method, "code": code, "bits": digest.hexdigest()}}


def score(file: Path, order: dict[str, Any]) -> Found:
    """By all explainers, of which every suite has some or all: a hash of code for each suite's."""
    job, settings = job_of(file, order), load(Scoring, SCORING)
    few = {name: one.model_copy(update={"images": 8}) for name, one in settings.explainers.items()}
    found = score_cell(
        [job.folder], job.pack, job.method, job.options, settings.model_copy(update={"explainers": few, **LOOKED_AT})
    )
    digest = hashlib.sha256(repr(sorted(found.not_defined.items())).encode())
    scores: dict[str, Any] = {
        f"{name} {variant}": each for (name, variant), each in found.predictions.image_scores.items()
    }
    for name, each in sorted({**scores, **found.predictions.logits, **found.gallery}.items()):
        digest.update(name.encode() + np.ascontiguousarray(each).tobytes())
    raw = getattr(scoring_code, "raw_scoring_hash", scoring_code.scoring_hash)
    return {
        f"{file} {suite}": {"name": str(suite), "code": raw(load(Scoring, suite)), "bits": digest.hexdigest()}
        for suite in [SCORING, *sorted(Path("pipelines").glob("*/scoring.yaml"))]
    }


def main(order: dict[str, Any]) -> None:
    work = {"train": train, "score": score}[order["task"]]
    found: Found = {}
    for name in order["files"]:
        found |= work(Path(name), order)
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
