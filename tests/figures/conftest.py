"""Results folders of made-up methods: as many as asked for, with or without a file or a value."""

import csv
import json

import numpy as np
import pytest

from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown
from benchmark.registry import METHODS
from benchmark.reliability import RELIABILITY_COLUMNS, reliability_rows
from benchmark.tables import write_csv

NAMES = ["erm", *(name for name in METHODS if name != "erm"), "isnet_vit", "my_own_method"]
VARIANTS = ("iid", "ood", "deceiving")
SUMMARY = [
    "dataset",
    "bias",
    "method",
    "variant",
    "family",
    "metric",
    "value",
    "low",
    "high",
    "n_units",
    "n_seeds",
    "diff",
    "diff_low",
    "diff_high",
    "p_holm",
]
SCORES = ["dataset", "bias", "method", "seed", "variant", "family", "metric", "value", "n_units"]
COSTS = ["method", "step_ratio", "memory_ratio", "inference_ratio", "params", "train_seconds", "needs"]
NEEDS = ("nothing", "training masks", "training masks", "group labels")


def needs(method):
    return NEEDS[NAMES.index(method) % len(NEEDS)] if method != "erm" else "nothing"


def write(path, columns, rows):
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def summary_rows(task, methods, variants, rng):
    found, base = [], {}
    dataset, bias = task.split("-")
    for method in methods:
        for variant, metric in [*((v, "accuracy") for v in variants), ("iid", "background_relevance_mass"),
                                ("iid", "background_swap_flip_rate")]:  # fmt: skip
            value = float(rng.random())
            half = float(rng.uniform(0.01, 0.1))
            row = dict.fromkeys(SUMMARY, "") | {"dataset": dataset, "bias": bias, "method": method, "variant": variant}
            row |= {"family": "generalization", "metric": metric, "value": value, "n_seeds": 3}
            row |= {"low": max(value - half, 0), "high": min(value + half, 1)}
            row["n_units"] = 1000 if metric == "accuracy" else 100
            base.setdefault((variant, metric), value)
            if method != methods[0]:
                diff = value - base[variant, metric]
                row |= {"diff": diff, "diff_low": diff - half, "diff_high": diff + half}
                row["p_holm"] = (0.001, 0.049, 0.05, 0.6)[methods.index(method) % 4]
            found.append(row)
    return found


def facts_of(dataset, bias, method, classes):
    names = {"dataset": dataset, "bias": bias, "method": method, "needs": needs(method), "source": "ours"}
    training = {"trained_through": None, "backbone": "tiny", "epochs": 1, "best_epoch": [1, 1, 1]}
    return names | training | {"data": "0a", "classes": classes}


def gallery(path, rng, classes, side=14):
    mask = np.zeros((classes, side, side), np.uint8)
    mask[:, 4:9, 3:10] = 1
    label = np.arange(classes)
    np.savez_compressed(
        path,
        image=rng.integers(0, 255, (classes, side, side, 1)).astype(np.uint8),
        mask=mask,
        label=label,
        id=np.array([f"d{k}" for k in label]),
        prediction=np.where(label == 1, 0, label),
        variant=np.full(classes, "iid"),
        **{"heatmap/integrated_gradients": rng.normal(size=mask.shape).astype(np.float16)},
    )


def reliability(methods, tasks, variants, rng):
    predictions = {}
    for task in tasks:
        for method in methods:
            label = rng.integers(0, 4, 40)
            names = np.array([f"i{i:03d}" for i in range(40)])
            shown = Shown(names, names, np.full(40, "here"), label)
            logits = {v: (3 * rng.normal(size=(3, 40, 4))).astype(np.float32) for v in variants}
            predictions[Cell.parse(f"{task}-{method}")] = Predictions(
                np.arange(3), dict.fromkeys(variants, shown), logits
            )
    return reliability_rows(predictions)


@pytest.fixture
def suite(tmp_path):
    """Makes a results folder: ``suite(methods, tasks, variants)``."""

    def make(methods=4, tasks=("d-b",), variants=VARIANTS, classes=4, name="results"):
        folder, rng = tmp_path / name, np.random.default_rng(7)
        (folder / "gallery").mkdir(parents=True)
        names = NAMES[:methods]
        cells = []
        for task in tasks:
            dataset, bias = task.split("-")
            same = np.random.default_rng(1).bit_generator.state
            for method in names:
                cells.append(facts_of(dataset, bias, method, classes))
                drawn = np.random.default_rng()
                drawn.bit_generator.state = same
                gallery(folder / "gallery" / f"{task}-{method}.npz", drawn, classes)
        facts = {"suite": name, "version": "1", "code": "1c", "seeds": [0, 1, 2], "packages": {}, "protocol": ["4"]}
        (folder / "suite.json").write_text(json.dumps(facts | {"cells": cells}))
        summary = [row for task in tasks for row in summary_rows(task, names, variants, rng)]
        write(folder / "summary.csv", SUMMARY, summary)
        scores = [{k: row[k] for k in SCORES if k != "seed"} | {"seed": 0} for row in summary]
        write(folder / "scores.csv", SCORES, scores)
        costs = [dict.fromkeys(COSTS, 1.0) | {"method": m, "needs": needs(m), "step_ratio": 1.0 + 0.7 * i}
                 for i, m in enumerate(names)]  # fmt: skip
        write(folder / "costs.csv", COSTS, costs)
        write_csv(folder / "reliability.csv", reliability(names, tasks, variants, rng), RELIABILITY_COLUMNS)
        return folder

    return make


@pytest.fixture
def edit():
    """Rewrites a table: ``edit(path, change)``, with ``change`` from rows to rows."""

    def apply(path, change):
        rows = rows_of(path)
        write(path, list(rows[0]), change(rows))

    return apply
