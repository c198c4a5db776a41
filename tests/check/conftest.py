"""A small suite on disk: made-up predictions of three methods, and the tables that come of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark import paths
from benchmark.predictions import Predictions, Tested
from benchmark.stored import read_stored, write_all

METHODS = ("erm", "rrr", "isnet")
IMAGES, CLASSES, SEEDS = 40, 3, (0, 1)
RATES = {"erm": (0.95, 0.3), "rrr": (0.9, 0.6), "isnet": (0.9, 0.9)}
"""Chance of a right answer on ``iid`` and on ``deceiving``."""

RUN = {"device": "cpu", "epochs": 2, "best_epoch": 1, "data": "d" * 64, "code": "c" * 64}
CURVE = {"epoch": [0.0, 1.0], "phase": [0.0, 0.0], "train_loss": [1.5, 0.25]}
CLAIMS = """
claims:
  - name: shortcut_is_read
    sentence: The plain classifier reads the mark
    source: this project
    test: every_seed
    dataset: made
    bias: corner
    method: erm
    variant: deceiving
    metric: accuracy
    at_most: 0.5
"""


def made_predictions(method: str) -> Predictions:
    rng = np.random.default_rng(len(method))
    label = np.arange(IMAGES) % CLASSES
    names = np.array([f"image_{number}" for number in range(IMAGES)])
    images = Tested(names, names, np.full(IMAGES, "made"), label)
    logits = {}
    for variant, rate in zip(("iid", "deceiving"), RATES[method], strict=True):
        said = np.where(rng.random((len(SEEDS), IMAGES)) < rate, label, (label + 1) % CLASSES)
        logits[variant] = (np.eye(CLASSES)[said] * 4 + rng.random((len(SEEDS), IMAGES, CLASSES))).astype(np.float32)
    subset = {variant: np.array([], dtype=np.int64) for variant in logits}
    tested = dict.fromkeys(logits, images)
    return Predictions(np.array(SEEDS), tested, logits, subset=subset, attributes={"data": "d" * 64})


def write_suite(root: Path, methods: tuple[str, ...] = METHODS) -> paths.SuitePaths:
    """The files of the default suite below ``root``, which must be the working directory."""
    suite = paths.SuitePaths()
    listed = ", ".join(methods)
    (root / "params.yaml").write_text(
        f"matrix: {{dataset: [made], bias: [corner], method: [{listed}]}}\nseeds: [0, 1]\n"
    )
    for path, text in ((suite.scoring_yaml, "explainers: {integrated_gradients: {}}\n"), (suite.claims_yaml, CLAIMS)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    cells = []
    for cell in suite.suite().cells():
        made_predictions(cell.method).write(suite.predictions(cell))
        facts = {**vars(cell), "trained_through": None, "masks_input": False, "code": "c" * 12, "data": "d" * 12}
        facts |= {"runs": [RUN | {"seed": seed} for seed in SEEDS], "curves": [CURVE] * len(SEEDS)}
        suite.facts(cell).parent.mkdir(parents=True, exist_ok=True)
        suite.facts(cell).write_text(json.dumps(facts))
        cells.append(facts)
    stored = read_stored(suite)
    write_all(suite, stored, suite.results)
    (suite.results / "suite.json").write_text(json.dumps({"cells": cells, "skipped": []}))
    return suite


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> paths.SuitePaths:
    monkeypatch.chdir(tmp_path)
    return write_suite(tmp_path)
