"""Source by source: against scikit-learn, with patients of many images, and where nothing is defined."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.sources import source_rows

CELL = Cell("d", "b", "m")


def stored(source, label, unit=None, seeds=3, seed=0):
    rng = np.random.default_rng(seed)
    names = np.array([f"i{row:04d}" for row in range(len(label))])
    shown = Shown(names, names if unit is None else np.asarray(unit), np.asarray(source), np.asarray(label))
    logits = rng.normal(size=(seeds, len(label), 2)) + np.eye(2)[label]
    return Predictions(np.arange(seeds), {"iid": shown}, {"iid": logits.astype(np.float32)})


def rows_of(predictions):
    return {(row.source, row.metric): row for row in source_rows({CELL: predictions})}


def test_values_are_those_of_another_library_on_the_images_of_the_source():
    rng = np.random.default_rng(1)
    source, label = rng.choice(["a", "b"], 200), rng.integers(0, 2, 200)
    predictions = stored(source, label)
    found = rows_of(predictions)
    for name in ("a", "b"):
        here = source == name
        runs = predictions.logits["iid"][:, here].astype(float)
        right = np.mean([accuracy_score(label[here], run.argmax(1)) for run in runs])
        # macro AUROC of two classes ranks each by its own probability, which is the logits' difference
        area = np.mean([roc_auc_score(label[here], run[:, 1] - run[:, 0]) for run in runs])
        assert found[name, "accuracy"].value == pytest.approx(right, abs=1e-9)
        assert found[name, "macro_auroc"].value == pytest.approx(area, abs=1e-6)
        assert found[name, "accuracy"].low < right < found[name, "accuracy"].high
        assert found[name, "accuracy"].n_images == here.sum()


def test_a_source_with_one_class_has_its_recall_and_no_auroc():
    predictions = stored(["a"] * 20 + ["b"] * 20, [1] * 20 + [0, 1] * 10)
    found = rows_of(predictions)
    recall = (predictions.logits["iid"][:, :20].argmax(2) == 1).mean()
    assert found["a", "accuracy"].value == pytest.approx(recall)
    assert found["a", "accuracy"].classes == "1"
    assert math.isnan(found["a", "macro_auroc"].value)
    assert found["b", "accuracy"].classes == "0 1"


def test_images_of_one_patient_do_not_count_as_many():
    label = np.tile([0, 1], 60)
    alone = stored(["a"] * 120, label)
    logits = np.repeat(alone.logits["iid"][:, ::6], 6, axis=1)  # 20 patients whose six images are alike
    unit = np.repeat([f"p{row:02d}" for row in range(20)], 6)
    same = np.repeat(label[::6], 6)
    names = alone.tested["iid"].id
    clustered = Predictions(alone.seeds, {"iid": Shown(names, unit, np.array(["a"] * 120), same)}, {"iid": logits})
    single = Predictions(alone.seeds, {"iid": Shown(names, names, np.array(["a"] * 120), same)}, {"iid": logits})
    wide, narrow = (rows_of(one)["a", "accuracy"] for one in (clustered, single))
    assert (wide.n_units, narrow.n_units, wide.value) == (20, 120, narrow.value)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_a_source_of_one_unit_has_a_value_without_bounds():
    found = rows_of(stored(["a", "a", "b"], [0, 1, 1]))
    assert 0 <= found["b", "accuracy"].value <= 1
    assert math.isnan(found["b", "accuracy"].low) and math.isnan(found["b", "accuracy"].high)
