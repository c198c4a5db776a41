import csv
import json
import shutil

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.load import load
from benchmark.report.page import write_report
from benchmark.report.settings import COLUMNS, read_trials, settings_table


def trial(number, settings, val, balanced, selected, note=""):
    return ["isnet", number, json.dumps(settings), val, balanced, 500, selected, note]


TRIALS = [
    trial(0, {"options.heatmap_share": 0.7}, "0.998", "0.81", ""),
    trial(1, {"options.heatmap_share": 0.9}, "0.996", "0.92", "iid"),
    trial(2, {"options.heatmap_share": 0.95}, "0.95", "0.94", "oracle"),
    trial(3, {"options.heatmap_share": 0.5}, "", "", "", "the loss is not finite"),
]


def write(folder, rows, columns=COLUMNS):
    folder.mkdir(parents=True)
    with (folder / "isnet.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "results" / "default")


def test_a_method_shows_its_choice_beside_the_oracles(folder):
    write(folder.parent / "tune" / "mnist5k-corner", TRIALS)
    (task,) = load(folder).tasks
    rows = {row.names[0]: [entry.text for entry in row.entries] for row in settings_table(task, task.trials).rows}
    assert rows["isnet"] == ["4", "heatmap_share 0.9", "0.996", "0.920", "heatmap_share 0.95", "0.940"]
    assert all(text.startswith("not defined: not tuned") for text in rows["erm"])


def test_a_suites_own_log_comes_before_the_default_ones(folder):
    write(folder.parent / "tune" / "mnist5k-corner", TRIALS)
    write(folder.parent / "tune" / "other" / "mnist5k-corner", TRIALS[:2])
    (task,) = load(folder).tasks
    assert len(read_trials(folder.parent, "other", task)["isnet"]) == 2
    assert len(read_trials(folder.parent, "default", task)["isnet"]) == 4


def test_a_method_all_of_whose_trials_failed_says_so(folder):
    write(folder.parent / "tune" / "mnist5k-corner", TRIALS[3:])
    (task,) = load(folder).tasks
    (row,) = [row for row in settings_table(task, task.trials).rows if row.names == ("isnet",)]
    assert [entry.text for entry in row.entries][1:] == ["not defined: no trial came to an end"] * 5


def test_a_broken_log_is_named(folder):
    write(folder.parent / "tune" / "mnist5k-corner", [[*TRIALS[0][:3], "much", *TRIALS[0][4:]]])
    with pytest.raises(BenchmarkError, match=r"isnet.csv line 2, column 'val_accuracy'; got 'much'"):
        load(folder)


def test_the_pages_have_the_table_only_where_there_is_a_log(folder):
    write_report(folder)
    assert "### Settings" not in (folder / "report.md").read_text()
    write(folder.parent / "tune" / "mnist5k-corner", TRIALS)
    write_report(folder)
    assert "### Settings" in (folder / "report.md").read_text()
    assert 'id="mnist5k-corner-settings"' in (folder / "report.html").read_text()
