import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.metrics.calibration import BINS, ece
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.reliability import RELIABILITY_COLUMNS, ReliabilityRow, reliability_rows
from benchmark.tables import read_csv, write_csv

CELL = Cell("d", "b", "m")


def stored(logits, label):
    """Predictions of one cell on iid; ``logits [S, N, K]``."""
    names = np.array([f"i{row:04d}" for row in range(len(label))])
    shown = Shown(names, names, np.full(len(label), "here"), np.asarray(label))
    logits = np.asarray(logits, np.float32)
    return {CELL: Predictions(np.arange(len(logits)), {"iid": shown}, {"iid": logits})}


def random_logits(seed, seeds=3, n=200, classes=4, sure=2.0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    return rng.normal(size=(seeds, n, classes)) * sure + sure * np.eye(classes)[label], label


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 6), st.floats(0.1, 6))
def test_the_bins_add_up_to_the_calibration_error_of_the_metric(seed, seeds, classes, sure):
    logits, label = random_logits(seed, seeds, 60, classes, sure)
    rows = reliability_rows(stored(logits, label))
    mean = np.mean([ece(one.astype(np.float32), label) for one in logits])
    assert sum(row.ece_part for row in rows) == pytest.approx(mean, abs=1e-12)


def test_one_seed_has_the_error_of_its_bins():
    logits, label = random_logits(1, seeds=1)
    rows = [row for row in reliability_rows(stored(logits, label)) if row.count]
    total = sum(row.count / len(label) * abs(row.accuracy - row.confidence) for row in rows)
    assert total == pytest.approx(float(ece(logits[0].astype(np.float32), label)), abs=1e-12)


def test_bins_are_those_of_another_library():
    logits, label = random_logits(2, seeds=3)
    p = softmax(logits.astype(np.float32).astype(float), axis=2)
    right = (p.argmax(2) == label).ravel()
    true, said = calibration_curve(right, p.max(2).ravel(), n_bins=BINS, strategy="uniform")
    rows = [row for row in reliability_rows(stored(logits, label)) if row.count]
    np.testing.assert_allclose([row.accuracy for row in rows], true, atol=1e-12)
    np.testing.assert_allclose([row.confidence for row in rows], said, atol=1e-12)


def test_a_table_of_probabilities_is_read_as_such():
    rows = reliability_rows(stored([[[1, 0], [0.25, 0.75], [0.25, 0.75], [0.25, 0.75]]], [0, 1, 1, 0]))
    by_bin = {row.bin: row for row in rows if row.count}
    assert {(m, row.count) for m, row in by_bin.items()} == {(12, 3), (15, 1)}  # 0.75 lies in (11/15, 12/15]
    assert by_bin[12].confidence == 0.75 and by_bin[12].accuracy == pytest.approx(2 / 3)
    assert by_bin[12].ece_part == pytest.approx(3 / 4 * (0.75 - 2 / 3))
    assert (by_bin[15].accuracy, by_bin[15].ece_part) == (1, 0)
    assert (by_bin[12].low, by_bin[12].high) == (11 / 15, 12 / 15)


def test_seeds_that_err_to_opposite_sides_do_not_cancel():
    sure = [[0.25, 0.75]] * 4
    rows = reliability_rows(stored([sure, sure], [1, 1, 1, 1])) + reliability_rows(stored([sure, sure], [0, 0, 0, 0]))
    over, under = rows[11].ece_part, rows[11 + BINS].ece_part
    both = reliability_rows(stored([sure, [[0.75, 0.25]] * 4], [1, 1, 1, 1]))[11]
    assert both.accuracy == 0.5 and abs(both.accuracy - both.confidence) == 0.25
    assert both.ece_part == pytest.approx((over + under) / 2) == pytest.approx(0.5)


def test_every_image_of_every_seed_and_variant_is_in_one_bin():
    logits, label = random_logits(3, seeds=2, n=50)
    one = stored(logits, label)[CELL]
    both = Predictions(one.seeds, dict.fromkeys(("iid", "deceiving"), one.tested["iid"]), dict.fromkeys(
        ("iid", "deceiving"), one.logits["iid"]))  # fmt: skip
    rows = reliability_rows({CELL: both, Cell("d", "b", "other"): one})
    assert [(row.method, row.variant, row.bin) for row in rows] == [
        (method, variant, m)
        for method, variants in (("m", ("iid", "deceiving")), ("other", ("iid",)))
        for variant in variants
        for m in range(1, BINS + 1)
    ]
    assert [sum(row.count for row in rows[i : i + BINS]) for i in (0, BINS, 2 * BINS)] == [100] * 3
    assert {row.n_seeds for row in rows} == {2}


def test_an_empty_bin_has_no_mean_and_adds_nothing(tmp_path):
    rows = reliability_rows(stored([[[9.0, -9.0]] * 3], [0, 0, 1]))
    empty = rows[:-1]
    assert all(math.isnan(row.confidence) and math.isnan(row.accuracy) for row in empty)
    assert {(row.count, row.ece_part) for row in empty} == {(0, 0.0)}
    write_csv(tmp_path / "reliability.csv", rows, RELIABILITY_COLUMNS)
    assert (tmp_path / "reliability.csv").read_text().splitlines()[1].split(",")[7:10] == ["", "", "0"]
    assert read_csv(tmp_path / "reliability.csv", ReliabilityRow)[-1] == rows[-1]


def test_a_table_that_holds_some_probabilities_is_refused():
    with pytest.raises(BenchmarkError, match="probabilities do not sum to one"):
        reliability_rows(stored([[[0.5, 0.5], [0.5, 0.5], [0.9, 0.9]]], [0, 1, 0]))
