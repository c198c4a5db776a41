"""Verifies a record: its data, images and protocol are the suite's, its answers whole, its scores what they yield.

A record that passes is consistent. That a model gave these answers, that it was trained as told and saw what it says,
no record can prove: docs/submit.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.api import Floats
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError, raise_unknown
from benchmark.predictions import Predictions
from benchmark.stats.track import Track, Weights
from benchmark.stats.tracks import Key
from benchmark.submission.doubts import equal_cells, refuse_equal_seeds, refuse_rounded
from benchmark.submission.make import check_method
from benchmark.submission.payload import decoded, images_sha256, record_sha256
from benchmark.submission.reading import parse_record
from benchmark.submission.record import Record
from benchmark.submission.scores import scored, shared_draws
from benchmark.submission.stored import StoredTask, read_task

TOLERANCE = 1e-9
"""How far a claimed score may lie from the recomputed one: another machine sums in another order."""


@dataclass(frozen=True, eq=False)
class Verified:
    """A record that agrees with the suite and with itself.

    Attributes:
        predictions: Its answers, images in the suite's order.
        tracks: Its scores, recomputed.
        weights: The draws of the suite's tables.
        compared: How many claimed numbers were compared.
        equal: Cells of the suite that gave the same answers, bit by bit, in a seed.
    """

    record: Record
    stored: StoredTask
    predictions: Predictions
    tracks: dict[Key, Track]
    weights: Weights
    compared: int
    equal: tuple[Cell, ...] = ()


def verify(content: dict[str, Any], suite: str | None = None) -> Verified:
    """Checks a record and recomputes its scores.

    Args:
        content: The JSON object.
        suite: Which suite it must be of; by default the one that it names.

    Raises:
        BenchmarkError: If anything is not as it must be; the first thing that is not.
    """
    record = parse_record(content)
    if (found := record_sha256(content)) != record.sha256:
        raise BenchmarkError(
            "hash of the record", got=record.sha256, expected=found, do="It was damaged or changed: write it again."
        )
    if suite is not None and record.suite != suite:
        raise BenchmarkError(
            "suite of the record", got=record.suite, expected=suite, do="Verify it with its own suite."
        )
    stored = read_task(record.suite, record.task)
    check_method(record.method, stored)
    check_data(record, stored)
    predictions = answers(record, stored)
    weights = shared_draws(stored)
    tracks = scored(predictions, weights)
    compared = check_scores(record, tracks)
    return Verified(record, stored, predictions, tracks, weights, compared, equal_cells(predictions, stored))


def check_data(record: Record, stored: StoredTask) -> None:
    """Whether data and images are the suite's.

    Raises:
        BenchmarkError: If not.
    """
    if record.data != stored.data:
        raise BenchmarkError(
            f"data of the record, {stored.task}",
            got=record.data,
            expected=stored.data,
            do="The method must be trained and tested on the suite's biased pack: `dvc repro` makes it.",
        )
    if record.images.keys() != stored.tested.keys():
        raise BenchmarkError(
            "variants of the record",
            got=", ".join(record.images),
            expected=", ".join(stored.tested),
            do="Predict the images of every variant of the task, and of no other.",
        )
    images = {str(variant): shown for variant, shown in record.images.items()}
    if record.classes != stored.classes:
        raise BenchmarkError("classes of the record", got=record.classes, expected=f"{stored.classes}")
    for variant, tested in stored.tested.items():
        shown, ours = images[variant], images_sha256(tested)
        if (shown.count, shown.sha256) != (len(tested), ours):
            raise BenchmarkError(
                f"images of {variant}",
                got=f"{shown.count} with hash {shown.sha256[:12]}",
                expected=f"{len(tested)} with hash {ours[:12]}",
                do="Ids and labels must be those of the suite's predictions, in their order: `submit` sees to it.",
            )


def answers(record: Record, stored: StoredTask) -> Predictions:
    """The logits of every variant and seed.

    Raises:
        BenchmarkError: If seeds or entries come twice or are missing, logits are not whole and finite, are
            probabilities that were rounded, or are the same under two seeds.
    """
    if len(set(record.seeds)) < len(record.seeds):
        raise BenchmarkError("seeds of the record", got=record.seeds, expected="different seeds")
    found: dict[tuple[str, int], Floats] = {}
    for entry in record.logits:
        where = f"{entry.variant}, seed {entry.seed}"
        if entry.variant not in stored.tested:
            raise_unknown("variant in logits", entry.variant, stored.tested)
        if entry.seed not in record.seeds:
            raise BenchmarkError(f"logits of {where}", expected=f"one of the seeds {record.seeds}")
        if (entry.variant, entry.seed) in found:
            raise BenchmarkError(f"logits of {where} are there twice", expected="one entry for each variant and seed")
        count = len(stored.tested[entry.variant])
        found[entry.variant, entry.seed] = decoded(entry.float32, count, record.classes, where)
    for variant in stored.tested:
        for seed in record.seeds:
            if (variant, seed) not in found:
                raise BenchmarkError(
                    f"logits of {variant}, seed {seed} are missing", expected="one entry for each variant and seed"
                )
    logits = {variant: np.stack([found[variant, seed] for seed in record.seeds]) for variant in stored.tested}
    found_all = Predictions(
        np.array(record.seeds),
        stored.tested,
        logits,
        attributes={"data": stored.data, "strata": stored.base.attributes.get("strata", "")},
    )
    refuse_rounded(found_all)
    refuse_equal_seeds(found_all)
    return found_all


def check_scores(record: Record, tracks: dict[Key, Track]) -> int:
    """Compares what is claimed with what was recomputed; how many numbers that were.

    Raises:
        BenchmarkError: If a score is claimed twice, for another number of seeds, or is not what the logits yield.
    """
    seen: set[Key] = set()
    differ: list[tuple[str, float, float]] = []
    compared = 0
    for claim in record.scores:
        key = (claim.variant, claim.metric)
        if key not in tracks:
            raise_unknown("variant in scores", claim.variant, {variant for variant, _ in tracks})
        if key in seen:
            raise BenchmarkError(f"score {claim.metric} on {claim.variant} is claimed twice", expected="once")
        if len(claim.per_seed) != len(record.seeds):
            raise BenchmarkError(
                f"score {claim.metric} on {claim.variant}",
                got=f"{len(claim.per_seed)} values",
                expected=f"{len(record.seeds)}, one a seed",
            )
        seen.add(key)
        own = tracks[key].interval()
        pairs = [
            (f"seed {seed}", *both)
            for seed, *both in zip(record.seeds, claim.per_seed, tracks[key].values, strict=True)
        ]
        pairs.append(("mean", claim.value, own.value))
        bounds = (("lower bound", claim.low, own.low), ("upper bound", claim.high, own.high))
        pairs += [(what, claimed, found) for what, claimed, found in bounds if claimed is not None]
        compared += len(pairs)
        differ += [
            (f"{claim.metric} on {claim.variant}, {what}", claimed, float(found))
            for what, claimed, found in pairs
            if not abs(claimed - found) <= TOLERANCE  # NaN differs from every claim
        ]
    if differ:
        what, claimed, found = differ[0]
        raise BenchmarkError(
            f"{len(differ)} of {compared} claimed scores are not what the logits yield: {what}",
            got=claimed,
            expected=f"{found!r} within {TOLERANCE:g}",
            do="Leave `scores` empty or let `submit` fill it in.",
        )
    return compared
