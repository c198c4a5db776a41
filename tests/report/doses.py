"""A made suite of doses: accuracy that a formula gives, written as the stages write it."""

import csv
import json
from pathlib import Path

DOSES = {
    "dose_r10": (0.1, 1.0),
    "dose_r50": (0.5, 1.0),
    "dose_r90": (0.9, 1.0),
    "dose_full": (1.0, 1.0),
    "dose_s10": (1.0, 0.1),
    "dose_s25": (1.0, 0.25),
    "dose_s50": (1.0, 0.5),
}
METHODS = {"erm": 0.95, "rrr": 0.7, "bg_swap": 0.05, "isnet": 0.2, "isnet_path": 0.01}
"""How much of the accuracy the full dose takes."""

SUMMARY = ("dataset", "bias", "method", "variant", "family", "metric", "value", "low", "high", "n_units", "n_seeds")
SUMMARY += ("diff", "diff_low", "diff_high", "p_holm")
SCORES = ("dataset", "bias", "method", "seed", "variant", "family", "metric", "value", "n_units")
PROTOCOL = [
    "The epoch is selected by the lowest loss on the biased validation set; no unbiased image is seen.",
    "Intervals: bootstrap variance over units plus seed variance, Student t with Satterthwaite's degrees.",
]


def accuracy(method: str, variant: str, correlation: float, strength: float) -> float:
    """Falls with the square of the correlation above chance, and with the root of the strength."""
    lost = METHODS[method] * ((correlation - 0.1) / 0.9) ** 2 * strength**0.5
    return 0.98 - (lost if variant == "deceiving" else 0)


def write_doses(folder: Path, *, doses=DOSES, methods=tuple(METHODS), lacking=(), undefined=(), half=0.03) -> Path:
    """A results folder.

    Args:
        folder: Must not exist.
        doses: Name of a bias to correlation and strength.
        methods: Of :data:`METHODS`.
        lacking: Cells (bias, method) that are not there.
        undefined: Cells (bias, method) without a value on deceiving.
        half: Half an interval.
    """
    cells, summary, scores = [], [], []
    for bias, (correlation, strength) in doses.items():
        for method in methods:
            if (bias, method) in lacking:
                continue
            settings = {"version": 2, "seed": 0, "size": 0.07, "correlation": correlation, "strength": strength}
            cells.append({"dataset": "mnist5k", "bias": bias, "method": method, "needs": "nothing", "source": "made"})
            cells[-1] |= {"trained_through": None, "backbone": "test_resnet", "epochs": 4, "best_epoch": [3]}
            cells[-1] |= {"data": "5e1f09ab77c2", "classes": 10}
            cells[-1] |= {"registered_bias": "corner", "bias_settings": settings}
            for variant in ("iid", "deceiving"):
                row = dict.fromkeys(SUMMARY, "") | {"dataset": "mnist5k", "bias": bias, "method": method}
                row |= {"variant": variant, "family": "generalization", "metric": "accuracy"}
                row |= {"n_units": 1000, "n_seeds": 3}
                value = accuracy(method, variant, correlation, strength)
                if (bias, method) not in undefined or variant == "iid":
                    row |= {"value": value, "low": value - half, "high": value + half}
                summary.append(row)
                scores.append({name: row.get(name, 0) for name in SCORES})
    folder.mkdir(parents=True)
    suite = {"suite": "dose", "seeds": [0, 1, 2], "code": "0f3c9d1ab2e4", "version": "0.1.0", "cells": cells}
    (folder / "suite.json").write_text(json.dumps(suite | {"packages": {}, "protocol": PROTOCOL}))
    for name, columns, rows in (("summary.csv", SUMMARY, summary), ("scores.csv", SCORES, scores)):
        with (folder / name).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder
