"""Makes a record from predictions, a NumPy archive of :mod:`benchmark.predictions` or a CSV table."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import __version__, paths
from benchmark.api import Needs
from benchmark.cell import check_name
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.files import sha256_file
from benchmark.predictions import Predictions
from benchmark.provenance import package_versions
from benchmark.registry import BUILT_IN, METHODS
from benchmark.submission.doubts import refuse_equal_seeds, refuse_rounded
from benchmark.submission.logits_csv import read_logits
from benchmark.submission.payload import encoded, images_sha256, record_sha256
from benchmark.submission.protocol import PROTOCOL, SCHEMA
from benchmark.submission.reading import parse_record
from benchmark.submission.scores import claims_of, scored, shared_draws
from benchmark.submission.stored import StoredTask


def check_method(name: str, stored: StoredTask) -> str:
    """The name, if no method of the benchmark or of the suite has it.

    Raises:
        BenchmarkError: If one has, or it is no name.
    """
    check_name("method", name)
    taken = name in METHODS and METHODS.table()[name].origin == BUILT_IN
    if taken or name in {cell.method for cell in stored.predictions}:
        raise BenchmarkError(
            f"method {name!r} is there already",
            expected="a name of its own",
            do="Take another name, such as my_method.",
        )
    return name


def sees(names: Sequence[str]) -> dict[str, bool]:
    """The fields of ``sees`` that are true.

    Raises:
        BenchmarkError: If a name is no field of :class:`benchmark.api.Needs`.
    """
    known = [field.name for field in fields(Needs)]
    for name in names:
        if name not in known:
            raise_unknown("name in --needs", name, known)
    return {name: name in names for name in known}


def read_predictions(path: Path, stored: StoredTask) -> Predictions:
    """Predictions for the images of a task, in the suite's order.

    Raises:
        BenchmarkError: If the file is neither ``.npz`` nor ``.csv``, cannot be read, is not of these images and data,
            or holds rounded probabilities or one training under several seeds.
    """
    if path.suffix == ".csv":
        found, data = read_logits(path, stored), data_used(stored)
    elif path.suffix == ".npz":
        found = ordered(Predictions.read(path), stored)
        data = found.attributes.get("data") or data_used(stored)
    else:
        raise BenchmarkError("--predictions", got=path.name, expected="a file .npz or .csv: see docs/submit.md")
    if data != stored.data:
        raise BenchmarkError(
            f"{path.name} was made on other data than suite {stored.suite!r}",
            got=data[:12],
            expected=stored.data[:12],
            do="Train and test on the suite's biased pack: `dvc repro` makes it.",
        )
    refuse_rounded(found)
    refuse_equal_seeds(found)
    return found


def data_used(stored: StoredTask) -> str:
    """The hash of the biased pack that lies here; where none does, the suite's own, on trust."""
    pack = paths.biased_pack(stored.task)
    return sha256_file(pack) if pack.is_file() else stored.data


def ordered(predictions: Predictions, stored: StoredTask) -> Predictions:
    """The same logits, images in the suite's order.

    Raises:
        BenchmarkError: If variants, images, labels or the number of classes differ.
    """
    if list(predictions.tested) != list(stored.tested):
        raise BenchmarkError("variants", got=list(predictions.tested), expected=", ".join(stored.tested))
    logits = {}
    for variant, ours in stored.tested.items():
        theirs, runs = predictions.tested[variant], predictions.logits[variant]
        place = {str(name): row for row, name in enumerate(theirs.id)}
        if place.keys() != {str(name) for name in ours.id}:
            raise BenchmarkError(
                f"test images of {variant}",
                got=f"{len(place)}, of which {len(place.keys() & set(map(str, ours.id)))} are of the task",
                expected=f"the {len(ours)} of {stored.task}",
            )
        rows = np.array([place[str(name)] for name in ours.id])
        if len(differ := np.flatnonzero(theirs.label[rows] != ours.label)):
            raise BenchmarkError(
                f"label of image {str(ours.id[differ[0]])!r} on {variant}",
                got=int(theirs.label[rows][differ[0]]),
                expected=f"{ours.label[differ[0]]}",
            )
        if runs.shape[-1] != stored.classes:
            raise BenchmarkError(f"classes of {variant}", got=runs.shape[-1], expected=f"{stored.classes}")
        logits[variant] = runs[:, rows]
    return Predictions(predictions.seeds, stored.tested, logits, attributes=predictions.attributes)


def make_record(
    predictions: Predictions, stored: StoredTask, method: str, seen: Mapping[str, bool], **told: str
) -> dict[str, Any]:
    """The record of a method's predictions, with all scores that it can claim.

    Args:
        predictions: On the images of the task, in the suite's order.
        stored: The task.
        method: The method's name.
        seen: What it sees (:func:`sees`).
        told: ``backbone``, ``source`` and ``note``, for people.

    Raises:
        BenchmarkError: If the name is taken, or a text or the number of seeds is out of bounds.
    """
    check_method(method, stored)
    tracks = scored(predictions, shared_draws(stored))
    record: dict[str, Any] = {
        "schema_version": SCHEMA,
        "protocol": PROTOCOL,
        "suite": stored.suite,
        "task": stored.task,
        "method": method,
        "sees": dict(seen),
        **told,
        "data": stored.data,
        "classes": stored.classes,
        "seeds": predictions.seeds.tolist(),
        "images": {v: {"count": len(of), "sha256": images_sha256(of)} for v, of in stored.tested.items()},
        "logits": [
            {"variant": variant, "seed": int(seed), "float32": encoded(logits)}
            for variant, runs in predictions.logits.items()
            for seed, logits in zip(predictions.seeds, runs, strict=True)
        ],
        "scores": [claim.model_dump() for claim in claims_of(tracks)],
        "environment": {"python": platform.python_version(), "shortcut-bench": __version__, **package_versions()},
    }
    record["sha256"] = record_sha256(record)
    parse_record(record)
    return record
