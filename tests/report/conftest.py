"""A small results folder with made-up but plausible numbers: ``erm`` and ``isnet`` collapse, ``isnet_path`` holds."""

import csv
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmark.report.png import encode

SEEDS = (0, 1, 2)
UNITS = {"attribution": 100, "guard": 0}
ACCURACY = {
    "erm": {"iid": (0.99, 0.992, 0.988), "ood": (0.31, 0.35, 0.27), "deceiving": (0.004, 0.006, 0.002)},
    "isnet": {"iid": (0.97, 0.96, 0.985), "ood": (0.62, 0.91, 0.33), "deceiving": (0.21, 0.88, 0.02)},
    "isnet_path": {"iid": (0.964, 0.961, 0.967), "ood": (0.958, 0.963, 0.954), "deceiving": (0.955, 0.96, 0.95)},
}
MASS = {"erm": (0.91, 0.95), "isnet": (0.74, 0.08), "isnet_path": (0.19, 0.11)}
LOSS = {"isnet": (0.0213, 0.0187, 0.0244), "isnet_path": (0.0402, 0.0391, 0.0425)}
KEYS = ["dataset", "bias", "method", "variant", "family", "metric"]
SUMMARY = [*KEYS, "value", "low", "high", "n_units", "n_seeds", "diff", "diff_low", "diff_high", "p_holm"]
SCORES = ["dataset", "bias", "method", "seed", "variant", "family", "metric", "value", "n_units"]


def cell(method, **changes):
    base = {
        "dataset": "mnist5k",
        "bias": "corner",
        "method": method,
        "needs": "nothing" if method == "erm" else "training masks",
        "source": {"erm": "Empirical risk minimisation (Vapnik 1991)"}.get(
            method, "Bassi, Dertkigil, Cavalli, Nat. Commun. 15, 291 (2024), eq. 3"
        ),
        "trained_through": None if method == "erm" else "lrp_epsilon",
        "backbone": "resnet10t",
        "epochs": 12,
        "best_epoch": [9, 11, 10],
        "data": "5e1f09ab77c2",
        "classes": 10,
    }
    return base | changes


def _tables():
    summary, scores = [], []

    def add(method, variant, family, metric, values, half):
        value = float(np.mean(values))
        row = dict.fromkeys(SUMMARY, "") | {"dataset": "mnist5k", "bias": "corner", "method": method}
        row |= {"variant": variant, "family": family, "metric": metric, "value": repr(value)}
        ends = (value - half, value + half) if metric.endswith("_gap") else np.clip((value - half, value + half), 0, 1)
        row |= {
            "low": repr(float(ends[0])),
            "high": repr(float(ends[1])),
            "n_units": UNITS.get(family, 1000),
            "n_seeds": 3,
        }
        if method != "erm" and metric != "heatmap_loss":
            reference = next(r for r in summary if (r["method"], r["variant"], r["metric"]) == ("erm", variant, metric))
            diff = value - float(reference["value"])
            row |= {"diff": repr(diff), "diff_low": repr(diff - half), "diff_high": repr(diff + half)}
            row["p_holm"] = repr(0.0002 if abs(diff) > 2 * half else 0.37)
        summary.append(row)
        for seed, number in zip(SEEDS, values, strict=True):
            keys = {"dataset": "mnist5k", "bias": "corner", "method": method, "seed": seed, "variant": variant}
            scores.append(
                keys
                | {"family": family, "metric": metric, "value": repr(float(number)), "n_units": UNITS.get(family, 1000)}
            )

    for method, variants in ACCURACY.items():
        for variant, values in variants.items():
            half = 0.02 + 1.2 * float(np.std(values))
            for metric, shrunk in (("accuracy", 1.0), ("macro_f1", 0.99), ("macro_auroc", 1.0)):
                numbers = [value * shrunk if metric != "macro_auroc" else 0.5 + value / 2 for value in values]
                add(method, variant, "generalization", metric, numbers, half)
                if variant != "iid":
                    iid = [value * shrunk if metric != "macro_auroc" else 0.5 + value / 2 for value in variants["iid"]]
                    gap = [a - b for a, b in zip(iid, numbers, strict=True)]
                    add(method, variant, "generalization", metric + "_gap", gap, half)
            for metric, mass in zip(
                ("background_relevance_mass", "background_relevance_mass_lrp"), MASS[method], strict=True
            ):
                add(method, variant, "attribution", metric, [mass - 0.01, mass, mass + 0.01], 0.015)
        if method in LOSS:
            add(method, "iid", "guard", "heatmap_loss", LOSS[method], 0.004)
    return summary, scores


def write_csv(path, columns, rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _gallery(folder, methods, side=28, count=8):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / (side - 1)
    label = np.arange(count) % 10
    masks, images = [], []
    for k in label:
        angle = k * 0.7
        ring = np.hypot(x - 0.5 - 0.08 * np.cos(angle), (y - 0.5) * (0.7 + 0.05 * k))
        masks.append((ring < 0.29) & (ring > 0.13))
        image = masks[-1] * 200.0 + rng.uniform(0, 12, (side, side))
        image[:3, 2 * k : 2 * k + 3] = 255
        images.append(image)
    mask, image = np.array(masks, np.uint8), np.array(images).astype(np.uint8)[..., None]
    for method in methods:
        leak = MASS[method]
        maps = {}
        for name, mass in zip(("integrated_gradients", "lrp_epsilon"), leak, strict=True):
            noise = rng.normal(0.4, 1, mask.shape)
            inside, outside = noise * mask, noise * (image[..., 0] > 250) + 0.05 * noise * (1 - mask)
            inside = inside / np.abs(inside).sum((1, 2), keepdims=True) * (1 - mass)
            outside = outside * (1 - mask)
            outside = outside / np.abs(outside).sum((1, 2), keepdims=True) * mass
            maps[f"heatmap/{name}"] = ((inside + outside) * 100).astype(np.float16)
        np.savez_compressed(
            folder / f"mnist5k-corner-{method}.npz",
            image=image,
            mask=mask,
            label=label,
            id=np.array([f"digit_{i:05d}" for i in range(count)]),
            prediction=np.where(np.arange(count) % (4 if method == "isnet" else 9) == 1, (label + 1) % 10, label),
            variant=np.array(["iid"] * count),
            **maps,
        )


def write_results(folder, methods=("erm", "isnet", "isnet_path")):
    folder.mkdir(parents=True)
    suite = {
        "suite": "default",
        "seeds": list(SEEDS),
        "code": "0f3c9d1ab2e4",
        "version": "0.1.0",
        "cells": [cell(method) for method in methods],
        "packages": {"torch": "2.13.0", "timm": "1.0.20", "numpy": "2.3.4"},
        "protocol": [
            "The epoch is selected by the lowest loss on the biased validation set; no unbiased image is seen.",
            "Intervals: bootstrap variance over units plus seed variance, Student t with Satterthwaite's degrees.",
        ],
    }
    (folder / "suite.json").write_text(json.dumps(suite))
    summary, scores = _tables()
    write_csv(folder / "summary.csv", SUMMARY, [row for row in summary if row["method"] in methods])
    write_csv(folder / "scores.csv", SCORES, [row for row in scores if row["method"] in methods])
    claims = [
        {"claim": "erm loses accuracy when the bias deceives", "verdict": "pass", "effect": "0.986", "low": "0.966"}
        | {"high": "1.006", "p": "0.0001", "evidence": "accuracy_gap of erm, deceiving"},
        {"claim": "isnet keeps its accuracy when the bias deceives", "verdict": "undecided", "effect": "-0.6"}
        | {"low": "-1.1", "high": "0.1", "p": "", "evidence": "seeds disagree"},
    ]
    write_csv(folder / "claims.csv", ["claim", "verdict", "effect", "low", "high", "p", "evidence"], claims)
    (folder / "samples").mkdir()
    sheet = np.full((3 * 30, 10 * 30), 255, np.uint8)
    for i in range(3):
        for j in range(10):
            sheet[i * 30 + 1 : i * 30 + 29, j * 30 + 1 : j * 30 + 29] = 20 + zlib.crc32(bytes([i, j])) % 40
            sheet[i * 30 + 8 : i * 30 + 22, j * 30 + 8 : j * 30 + 22] = 200
    (folder / "samples" / "mnist5k-corner.png").write_bytes(encode(sheet))
    (folder / "gallery").mkdir()
    _gallery(folder / "gallery", methods)
    return folder


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """A results folder that no test changes."""
    return write_results(tmp_path_factory.mktemp("report") / "results")


@pytest.fixture
def results(pristine, tmp_path):
    """A results folder of the test's own."""
    return Path(shutil.copytree(pristine, tmp_path / "results"))


@pytest.fixture(scope="session")
def rows(pristine):
    """The rows of a table by its name."""
    return lambda name, folder=pristine: read_csv(folder / name)


@pytest.fixture
def edit(results):
    """Changes a table: ``edit("summary.csv", change)`` with ``change(rows)``."""

    def apply(name, change):
        table = read_csv(results / name)
        columns = list(table[0])
        change(table)
        write_csv(results / name, columns, table)

    return apply


@pytest.fixture
def edit_suite(results):
    """Changes ``suite.json``: ``edit_suite(change)`` with ``change(suite)``."""

    def apply(change):
        suite = json.loads((results / "suite.json").read_text())
        change(suite)
        (results / "suite.json").write_text(json.dumps(suite))

    return apply
