"""Tier (a): what is caught, and what is told instead."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark import paths
from benchmark.cell import Cell
from benchmark.check.recompute import TABLES, recompute
from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions
from benchmark.stored import explained
from benchmark.summary import summarise
from benchmark.tables import read_rows

ROOT = Path(__file__).resolve().parents[2]
RRR = Cell("made", "corner", "rrr")


def flip_one(suite: paths.SuitePaths, cell: Cell, variant: str = "deceiving") -> None:
    """Moves the answer of the first seed to one image from right to wrong."""
    stored = Predictions.read(suite.predictions(cell))
    label = stored.tested[variant].label
    image = int(np.flatnonzero(stored.logits[variant][0].argmax(1) == label)[0])
    logits = stored.logits[variant].copy()
    logits[0, image] = np.roll(logits[0, image], 1)
    replace(stored, logits=stored.logits | {variant: logits}).write(suite.predictions(cell))


def test_tables_that_were_just_made_are_equal_in_every_field(suite: paths.SuitePaths) -> None:
    part = recompute(suite)
    sizes = [len(rows) * len(rows[0]) for name in TABLES if (rows := read_rows(suite.results / name))]
    assert (part.compared, part.moved, part.left) == (sum(sizes), [], [])


def test_one_flipped_prediction_is_caught_and_its_rows_are_named(suite: paths.SuitePaths) -> None:
    flip_one(suite, RRR)
    moved = {(one.where, one.name): one for one in recompute(suite).moved}
    score = moved["scores.csv", "made corner rrr 0 deceiving accuracy"]
    assert float(score.recorded) - float(score.found) == pytest.approx(1 / 40)
    assert score.allowed == "± 1e-09"
    summary = moved["summary.csv", "made corner rrr deceiving accuracy"]
    assert float(summary.recorded) - float(summary.found) == pytest.approx(1 / 80)
    assert ("comparisons.csv", "made corner rrr erm deceiving accuracy") in moved
    scores = {name for where, name in moved if where == "scores.csv"}
    assert all(name.split()[2:4] == ["rrr", "0"] for name in scores), "the other seed and methods have not moved"


def test_one_digit_of_a_table_is_caught_alone(suite: paths.SuitePaths) -> None:
    path = suite.results / "summary.csv"
    rows = read_rows(path)
    row = next(r for r in rows if (r["method"], r["variant"], r["metric"]) == ("isnet", "iid", "macro_f1"))
    row["low"] = f"{float(row['low']) + 1e-6!r}"
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(row), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    (moved,) = recompute(suite).moved
    assert (moved.where, moved.name, moved.column) == ("summary.csv", "made corner isnet iid macro_f1", "low")


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"summary.csv", "scores.csv"}))
def test_a_table_that_the_suite_lacks_has_moved(suite: paths.SuitePaths, table: str) -> None:
    (suite.results / table).unlink()
    part = recompute(suite)
    assert ([(one.where, one.name, one.recorded) for one in part.moved], part.left) == (
        [(table, "(all rows)", "-")],
        [],
    )


@pytest.mark.parametrize(
    ("table", "old", "new", "row"),
    [
        ("claims.csv", ",pass,", ",fail,", "shortcut_is_read The plain classifier reads the mark"),
        ("metrics.csv", "share of hits", "a guess", "accuracy"),
        ("runs.csv", "cpu", "cuda", "made corner erm 0"),
        ("training.csv", "0.25", "0.2501", "made corner erm 0 1 0 train_loss"),
    ],
)
def test_claims_and_what_is_told_of_trainings_and_metrics_are_made_again(
    suite: paths.SuitePaths, table: str, old: str, new: str, row: str
) -> None:
    path = suite.results / table
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    (moved,) = recompute(suite).moved
    assert (moved.where, moved.name) == (table, row)


def test_predictions_of_other_data_than_the_facts_or_the_task_are_refused(suite: paths.SuitePaths) -> None:
    stored, path = Predictions.read(suite.predictions(RRR)), suite.predictions(RRR)
    replace(stored, attributes={"data": "e" * 64}).write(path)
    with pytest.raises(
        BenchmarkError, match=r"data of the predictions of cell made-corner-rrr.*dddddddddddd…, its facts"
    ):
        recompute(suite)
    replace(stored, attributes={"data": "d" * 12 + "e" * 52}).write(path)  # the facts name twelve digits
    with pytest.raises(BenchmarkError, match=r"made-corner-rrr.*expected d+, as in made-corner-erm"):
        recompute(suite)
    replace(stored, attributes={}).write(path)
    assert recompute(suite).moved == []


@pytest.mark.parametrize("table", ["summary.csv", "scores.csv", "suite.json"])
def test_a_suite_without_results_is_an_error_that_says_what_to_run(suite: paths.SuitePaths, table: str) -> None:
    (suite.results / table).unlink()
    with pytest.raises(BenchmarkError, match=rf"suite default has no results.*{table}.*dvc repro dvc.yaml"):
        recompute(suite)


def test_a_cell_without_facts_or_predictions_is_an_error_that_names_it(suite: paths.SuitePaths) -> None:
    facts = suite.facts(RRR).read_text()
    suite.facts(RRR).unlink()
    with pytest.raises(BenchmarkError, match="facts of cell made-corner-rrr are missing"):
        recompute(suite)
    suite.facts(RRR).write_text(facts)
    suite.predictions(RRR).unlink()
    with pytest.raises(BenchmarkError, match=r"predictions file is missing.*made-corner-rrr"):
        recompute(suite)


def test_skipped_cells_are_told_and_a_suite_of_them_has_nothing_to_compare(suite: paths.SuitePaths) -> None:
    for cell in suite.suite().cells():
        mark = {"reason": "needs credentials", "do": "Ask for them."}
        suite.facts(cell).write_text(json.dumps({**vars(cell), "skipped": mark}))
    part = recompute(suite)
    assert (part.compared, part.moved) == (0, [])
    assert {left.why for left in part.left} == {"skipped: needs credentials"}
    assert len(part.left) == 3


def test_methods_trained_through_heatmaps_or_with_blanked_inputs_are_left_out_of_the_second_ranking() -> None:
    told = {"trained_through": None, "masks_input": False}
    facts = {
        Cell("made", "corner", "erm"): told,
        RRR: told,  # by its own table of methods
        Cell("made", "corner", "mine"): told | {"trained_through": "lrp_epsilon"},
        Cell("made", "corner", "unet_classifier"): told | {"masks_input": True},
        Cell("gone", "corner", "rrr"): {"skipped": {"reason": "", "do": ""}},
    }
    assert {cell.method for cell in explained(facts)} == {"rrr", "mine", "unet_classifier"}


def test_scores_of_the_committed_predictions_are_the_committed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed table was written by the stage ``report``, and this by the check's own path."""
    monkeypatch.chdir(ROOT)
    suite = paths.SuitePaths()
    cell = Cell("mnist5k", "corner", "isnet_path")
    made = summarise({cell: Predictions.read(suite.predictions(cell))}, draws=2)
    found = {(str(s.seed), s.variant, s.metric): s.value for s in made.scores}
    committed = {
        (row["seed"], row["variant"], row["metric"]): float(row["value"] or "nan")
        for row in read_rows(suite.results / "scores.csv")
        if row["method"] == cell.method
    }
    assert len(committed) > 100
    assert found == pytest.approx(committed, abs=1e-9, nan_ok=True)
