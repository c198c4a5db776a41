"""What lies behind a number of the headline table."""

import json

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.details import Point, as_script, curves, details
from benchmark.report.load import load
from benchmark.report.page import write_report

MINUS = "\N{MINUS SIGN}"
RUNS = "dataset,bias,method,seed,device,epochs,best_epoch,data,code"
TRAINING = "dataset,bias,method,seed,epoch,phase,quantity,value"
NO_RECORD = ["no record"] * 3
COLUMNS = ["iid", "ood", "deceiving", f"iid {MINUS} deceiving"]


def behind(folder, method):
    return details(load(folder))["tasks"]["mnist5k-corner"]["methods"][method]


def test_a_cell_holds_the_rows_of_summary_and_scores(pristine, rows):
    found = details(load(pristine))["tasks"]["mnist5k-corner"]
    assert found["columns"][:4] == [f"Accuracy, {name}" for name in COLUMNS]
    (row,) = [
        r
        for r in rows("summary.csv")
        if (r["method"], r["variant"], r["metric"]) == ("isnet_path", "deceiving", "accuracy")
    ]
    value, difference, p, units, seeds, values, signs = found["methods"]["isnet_path"]["cells"][2]

    def words(*names):
        a, b, c = (f"{float(row[name]):.3f}" for name in names)
        return f"{a} [{b}, {c}]".replace("-", MINUS)

    assert value == words("value", "low", "high") and difference == words("diff", "diff_low", "diff_high")
    assert (p, units, seeds) == ("<0.001", "1000", "3")
    assert signs == []
    assert values == ["0.955", "0.960", "0.950"]  # as conftest plants them


def test_the_reference_has_no_difference_and_a_metric_that_is_not_there_no_cell(pristine):
    found = behind(pristine, "erm")
    assert found["cells"][2][1:3] == ["not defined: the reference itself"] * 2
    assert found["cells"][6] is None  # heatmap loss: erm has none, and the table says why
    assert behind(pristine, "isnet")["cells"][6][3] == "no test unit"


def test_the_signs_of_a_cell_are_told_in_words(pristine):
    cells = behind(pristine, "isnet_path")["cells"]
    assert cells[5][-1] == ["† The method is trained through this explainer: a low value proves nothing by itself."]
    assert [cell[-1] for cell in cells[1:5]] == [[]] * 4
    assert cells[0][-1][0].startswith("= A tie: not shown to differ from the best")


def test_without_logs_the_runs_say_what_suite_json_knows(pristine):
    found = behind(pristine, "isnet")
    assert found["seeds"] == [[str(s), "not recorded", "12", b, *NO_RECORD] for s, b in enumerate(("9", "11", "10"))]
    assert found["curves"] == [] and "training.csv" in found["why"]


def test_runs_are_read_by_seed(results):
    lines = [f"mnist5k,corner,isnet,{seed},cuda,12,{7 + seed},d,c" for seed in (1, 0)]
    (results / "runs.csv").write_text("\n".join([RUNS, *lines]) + "\n")
    assert behind(results, "isnet")["seeds"] == [
        ["0", "cuda", "12", "7", *NO_RECORD],
        ["1", "cuda", "12", "8", *NO_RECORD],
        ["2", "not recorded", "12", "10", *NO_RECORD],
    ]
    assert behind(results, "erm")["seeds"][0] == ["0", "not recorded", "12", "9", *NO_RECORD]


def test_commit_and_time_of_a_run_are_told_or_why_they_are_not(results):
    sha = "0123456789abcdef0123456789abcdef01234567"
    lines = [
        f"mnist5k,corner,isnet,0,cpu,12,7,d,c,{sha},2026-03-01T09:05:07+00:00,61.7,",
        f"mnist5k,corner,isnet,1,cpu,12,7,d,c,{sha}-dirty,2026-03-01T09:05:07+00:00,61.2,",
        "mnist5k,corner,isnet,2,cpu,12,7,d,c,,2026-03-01T09:05:07+00:00,1.0,no commit: git is not installed",
    ]
    (results / "runs.csv").write_text("\n".join([f"{RUNS},commit,trained,seconds,why", *lines]) + "\n")
    assert [seed[4:] for seed in behind(results, "isnet")["seeds"]] == [
        ["2026-03-01 09:05", "62", "0123456789ab"],
        ["2026-03-01 09:05", "61", "0123456789ab-dirty"],
        ["2026-03-01 09:05", "1", "no commit: git is not installed"],
    ]


def test_provenance_names_version_hashes_packages_and_device(results, edit_suite):
    edit_suite(lambda suite: suite["cells"][1].update(device=["cpu"], packages={"torch": "9.9", "a": "1"}, code="c0de"))
    facts = dict(behind(results, "isnet")["facts"])
    assert facts["Packages"] == "a 1, torch 9.9" and facts["Device"] == "cpu"
    assert (facts["Data, SHA-256"], facts["Code, SHA-256"]) == ("5e1f09ab77c2", "c0de")
    assert facts["Suite and version"] == "default, 0.1.0"
    assert dict(behind(results, "erm")["facts"])["Packages"] == "numpy 2.3.4, timm 1.0.20, torch 2.13.0"


def test_a_commit_that_was_looked_up_is_told(pristine):
    from dataclasses import replace

    loaded = replace(load(pristine), commits={"mnist5k-corner-isnet": "abc1234"})
    found = details(loaded)["tasks"]["mnist5k-corner"]["methods"]
    commits = {method: text for method, one in found.items() for name, text in one["facts"] if "commit" in name}
    assert commits == {"erm": "not shown in this page", "isnet": "abc1234", "isnet_path": "not shown in this page"}


def points(*rows):
    return [Point("d", "b", "m", *row) for row in rows]


def test_a_curve_has_a_line_for_training_and_one_for_validation_of_each_seed():
    found = curves(
        points(
            (1.0, 1.0, "0", "train_loss", 0.5),
            (1.0, 0.0, "0", "train_loss", 2.0),
            (0.0, 0.0, "0", "train_loss", 3.0),
            (0.0, 0.0, "0", "val_loss", 1.23456789),
            (0.0, 0.0, "0", "val_heatmap_loss", 7.0),
        )
    )
    assert found == [
        {"name": "loss", "lines": {"train": {"0": [[0, 3.0]], "1": [[0, 2.0], [1, 0.5]]}, "val": {"0": [[0, 1.235]]}}},
        {"name": "heatmap loss", "lines": {"val": {"0": [[0, 7.0]]}}},
    ]


def test_phases_follow_each_other_and_what_is_not_defined_is_left_out():
    rows = [
        (0.0, epoch, phase, "val_loss", value) for epoch, phase, value in ((0, "1", 5.0), (0, "0", 9.0), (1, "1", 4.0))
    ]
    gap = [(0.0, 1.0, "0", "val_loss", None), (0.0, 0.0, "10", "val_loss", 1.0)]
    (found,) = curves(points(*rows, *gap))
    assert found["lines"]["val"]["0"] == [[0, 9.0], [2, 5.0], [3, 4.0], [4, 1.0]]


def test_no_word_can_end_the_element_of_the_page_that_holds_the_data():
    hostile = {"a": "</script><!-- <script>", "b": "\N{LINE SEPARATOR} & \"'"}
    text = as_script(hostile)
    assert "<" not in text and json.loads(text) == hostile
    with pytest.raises(ValueError, match="JSON"):
        as_script({"a": float("nan")})


@pytest.mark.parametrize(
    ("name", "head", "line", "words"),
    [
        ("training.csv", TRAINING, "mnist5k,corner,isnet,0,0,0,val_loss,inf", "line 2, column 'value'; got 'inf'"),
        ("training.csv", TRAINING.replace(",phase", ""), "", "training.csv lacks column 'phase'"),
        ("runs.csv", RUNS, "mnist5k,corner,isnet,x,cpu,1,1,d,c", "line 2, column 'seed'; got 'x'"),
    ],
)
def test_a_broken_log_is_named(results, name, head, line, words):
    (results / name).write_text(f"{head}\n{line}\n")
    with pytest.raises(BenchmarkError, match=words):
        write_report(results)


def test_a_log_of_another_cell_changes_nothing(results):
    before = behind(results, "isnet")
    (results / "training.csv").write_text(f"{TRAINING}\nmnist5k,other,isnet,0,0,0,val_loss,1\n")
    assert behind(results, "isnet") == before
