import pytest

from benchmark.cell import Cell
from benchmark.made import FIELDS
from benchmark.report.describe import describe
from benchmark.tables import write_csv
from benchmark.training_tables import RUN_COLUMNS, TRAINING_COLUMNS, run_rows, training_rows
from benchmark.trainings import read_curve, run_facts

LOG = "epoch,phase,train_loss,val_accuracy\n0,0,1.23456789,0.5\n1,1,,0.75\n"


@pytest.fixture
def facts(tmp_path):
    """Of a cell with two seeds, beside one that was skipped and one of before."""
    logs = [tmp_path / f"{seed}.csv" for seed in (3, 4)]
    for log in logs:
        log.write_text(LOG)
    records = [
        {"seed": s, "device": "cpu", "epochs": 2, "best_epoch": 1, "data": "d", "code": "c", "task": {}} for s in (3, 4)
    ]
    told = {"method": "erm", "code": "c", "packages": {}, **run_facts(records, logs)}
    return {Cell("a", "b", "erm"): told, Cell("a", "b", "rrr"): {"skipped": {}}, Cell("a", "b", "gain"): {"code": "c"}}


def test_a_log_is_read_to_six_digits_and_what_a_phase_does_not_have_is_nothing(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    assert read_curve(tmp_path / "log.csv") == {
        "epoch": [0, 1],
        "phase": [0, 1],
        "train_loss": [1.23457, None],
        "val_accuracy": [0.5, 0.75],
    }


def test_every_logged_value_becomes_a_row(facts, tmp_path):
    rows = list(training_rows(facts))
    assert len(rows) == 2 * 3  # two seeds; a loss in one epoch, an accuracy in both
    first = {"dataset": "a", "bias": "b", "method": "erm", "seed": 3, "epoch": 0, "phase": 0}
    assert rows[0] == {**first, "quantity": "train_loss", "value": 1.23457}
    assert rows[2] == {**first, "epoch": 1, "phase": 1, "quantity": "val_accuracy", "value": 0.75}
    assert [row["seed"] for row in rows] == [3, 3, 3, 4, 4, 4]
    write_csv(tmp_path / "training.csv", rows, TRAINING_COLUMNS)


def test_every_trained_model_has_a_record(facts, tmp_path):
    sha, began = "ab" * 20, "2026-03-01T09:05:07+00:00"
    entry = dict.fromkeys(FIELDS) | {"commit": sha, "dirty": True, "started": began, "seconds": 2.5, "why": ""}
    rows = list(run_rows(facts, {Cell("a", "b", "erm"): {"4": entry}}))
    assert [row["seed"] for row in rows] == [3, 4]
    told = [[row[name] for name in ("commit", "trained", "seconds", "why")] for row in rows]
    assert told == [[None, None, None, "no record"], [f"{sha}-dirty", began, 2.5, ""]]
    assert rows[0]["best_epoch"] == 1
    assert "task" not in rows[0]
    write_csv(tmp_path / "runs.csv", rows, RUN_COLUMNS)


def test_the_pages_facts_leave_them_to_their_tables(facts):
    told = describe("s", [3, 4], [next(iter(facts.values()))], [])
    assert told["cells"] == [{"method": "erm", "code": "c", "packages": {}}]
