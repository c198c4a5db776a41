"""The bytes of a record: logits as base64 text and back, and the hashes of images and of the whole."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark.api import Floats
from benchmark.errors import BenchmarkError
from benchmark.predictions import Tested

NOT_HASHED = ("sha256", "scores")
"""Scores are recomputed and need no hash; without them no fraction is left, whose text would differ by language."""


def encoded(logits: Floats) -> str:
    """``[N, K]`` as base64 of little-endian float32, row by row."""
    return base64.b64encode(np.ascontiguousarray(logits, "<f4").tobytes()).decode("ascii")


def decoded(text: str, images: int, classes: int, where: str) -> Floats:
    """The logits ``[images, classes]`` of such a text.

    Raises:
        BenchmarkError: If it is no base64, has another length, or holds a number that is not finite.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BenchmarkError(f"logits of {where}", got=str(error), expected="base64 with padding") from error
    if len(raw) != 4 * images * classes:
        raise BenchmarkError(
            f"logits of {where}",
            got=f"{len(raw)} bytes",
            expected=f"{4 * images * classes}: {images} images x {classes} classes x 4 bytes",
        )
    logits = np.frombuffer(raw, "<f4").reshape(images, classes).astype(np.float32)
    if len(broken := np.flatnonzero(~np.isfinite(logits).all(1))):
        raise BenchmarkError(
            f"logits of {where} are not finite",
            got=f"{len(broken)} of {images} images, the first in row {broken[0]}",
            expected="finite numbers",
            do="Look for a training that diverged: nothing is scored as long as one image has no score.",
        )
    return logits


def images_sha256(tested: Tested) -> str:
    """SHA-256 of a line ``id<TAB>label<LF>`` for each image, in order."""
    text = "".join(f"{id_}\t{label}\n" for id_, label in zip(tested.id.tolist(), tested.label.tolist(), strict=True))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def record_sha256(content: Mapping[str, Any]) -> str:
    """SHA-256 of a record without ``sha256`` and ``scores``, as canonical JSON (RFC 8785).

    Python's ``json`` writes that form as long as there are neither fractions nor keys outside ASCII, which the schema
    sees to.
    """
    body = {name: value for name, value in content.items() if name not in NOT_HASHED}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
