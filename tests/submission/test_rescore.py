"""Scores by a metric of one's own, against the suite's tables, SciPy and hand computation."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import top_k_accuracy_score
from submitted import DATA, ID, LABEL, PROTOCOL, ROOT, SEEDS, K, N, images, predictions, put

from benchmark.cli.main import COMMANDS, main
from benchmark.errors import BenchmarkError
from benchmark.submission.function import load_scorer
from benchmark.submission.rescore import rescore
from benchmark.submission.stored import read_task


@pytest.fixture
def metrics(project, monkeypatch):
    """The example's metrics, and some that are wrong, in the working directory."""
    shutil.copy(ROOT / "examples" / "submission" / "my_metrics.py", project / "rescored_example.py")
    (project / "rescored_wrong.py").write_text(
        "import numpy as np\n"
        "def plain(score, label):\n    return (score.argmax(1) == label).mean()\n"
        "def ignores(score, label, weight=None):\n"
        "    value = (score.argmax(1) == label).mean()\n"
        "    return value if weight is None else np.full(weight.shape[:-1], value)\n"
        "def random(score, label, weight=None):\n"
        "    return np.random.default_rng().random(() if weight is None else weight.shape[:-1])\n"
        "def undefined(score, label):\n    return np.nan\n"
    )
    monkeypatch.syspath_prepend(str(project))
    return project


def rows_of(target, draws=None, variants=(), limits=()):
    return rescore(load_scorer(target, *limits), read_task("toy"), variants, draws)


def pick(rows, method, variant):
    (row,) = [row for row in rows if (row.method, row.variant) == (method, variant)]
    return row


def test_the_commands_are_there():
    assert {"rescore", "submit", "verify"} <= COMMANDS.keys()


@pytest.mark.parametrize("target", ["accuracy", "ACCURACY", "macro_f1"])
def test_the_suites_own_metric_gives_the_numbers_of_summary_csv(target, monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = rescore(load_scorer(f"benchmark.metrics.generalization:{target}"), read_task("default"), ["deceiving"])
    metric = target.lower()
    with (ROOT / "results" / "default" / "summary.csv").open(newline="") as stream:
        known = {
            row["method"]: row
            for row in csv.DictReader(stream)
            if (row["variant"], row["metric"]) == ("deceiving", metric)
        }
    assert {row.method for row in rows} == set(known) > {"erm", "isnet_path"}
    for row in rows:
        for name in ("value", "low", "high", "diff", "diff_low", "diff_high", "p_holm"):
            text = known[row.method][name]
            assert getattr(row, name) == (float(text) if text else pytest.approx(math.nan, nan_ok=True)), name
        assert (row.n_units, row.n_seeds) == (int(known[row.method]["n_units"]), int(known[row.method]["n_seeds"]))


def test_top2_is_that_of_scikit_learn(metrics):
    row = pick(rows_of("rescored_example:top2"), "isnet", "deceiving")
    logits = predictions(4).logits["deceiving"]
    assert row.value == pytest.approx(np.mean([top_k_accuracy_score(LABEL, run, k=2) for run in logits]))
    assert (row.n_units, row.n_seeds, row.draws, row.data, row.code) == (N, SEEDS, 2000, DATA[:12], "isnet0000000")


def test_bounds_and_p_are_those_of_the_formula(metrics):
    rows = rows_of("rescored_example:top2")
    hits = {
        method: (np.argsort(-predictions(number).logits["deceiving"], 2)[..., :2] == LABEL[:, None]).any(2)
        for method, number in (("erm", 2), ("isnet", 4))
    }
    delta = hits["isnet"].astype(float) - hits["erm"]
    for values, row, names in (
        (hits["erm"], pick(rows, "erm", "deceiving"), ("low", "value", "high")),
        (delta, pick(rows, "isnet", "deceiving"), ("diff_low", "diff", "diff_high")),
    ):
        of_units, of_seeds = values.mean(0).var() / N, values.mean(1).var(ddof=1) / SEEDS
        df = (of_units + of_seeds) / (of_units / (N - 1) + of_seeds / (SEEDS - 1))
        half = stats.t.ppf(0.975, df) * math.sqrt(of_units + of_seeds)
        low, value, high = (getattr(row, name) for name in names)
        assert value == pytest.approx(values.mean())
        # The bootstrap's standard error has a relative error of 1.6 % with 2000 draws; a range is not known.
        assert (high - low) / 2 == pytest.approx(half, rel=0.07)
    p = 2 * stats.t.sf(abs(delta.mean()) / math.sqrt(of_units + of_seeds), df)
    assert pick(rows, "isnet", "deceiving").p_holm == pytest.approx(p, rel=0.2)
    assert math.isnan(pick(rows, "erm", "iid").diff)


def test_rows_drawn_do_what_weights_do(metrics):
    by_rows = rows_of("rescored_wrong:plain", limits=(0, 1))
    by_weights = rows_of("benchmark.metrics.generalization:accuracy", draws=200)
    assert {row.draws for row in by_rows} == {200}
    for one, other in zip(by_rows, by_weights, strict=True):
        for name in ("value", "low", "high", "diff", "diff_low", "diff_high", "p_holm"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, nan_ok=True)


def test_units_are_drawn_whole_where_they_have_several_images(project):
    pairs = np.array([f"patient_{i // 2}" for i in range(N)])
    for method, number in (("erm", 2), ("isnet", 4)):
        shown = dict.fromkeys(("iid", "deceiving"), images(unit=pairs))
        put(method, predictions(number, tested=shown))
    assert {row.n_units for row in rows_of("benchmark.metrics.generalization:accuracy")} == {N // 2}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ignores", "Weights are counts"),
        ("random", "Weights are counts"),
        ("undefined", "is NaN for erm on iid, seed 0"),
    ],
)
def test_a_metric_that_cannot_be_trusted_gives_no_number(metrics, name, words):
    with pytest.raises(BenchmarkError) as error:
        rows_of(f"rescored_wrong:{name}")
    assert words in str(error.value)


def test_a_method_with_other_seeds_is_not_paired(metrics):
    put("isnet", predictions(4, seeds=2))
    with pytest.raises(BenchmarkError, match="seeds of toy-corner-isnet"):
        rows_of("rescored_example:top2")


def printed(capsys, *arguments):
    code = main(["rescore", "--suite", "toy", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_prints_a_row_a_method_and_variant(metrics, capsys):
    code, told, _ = printed(capsys, "--metric", "rescored_example:top2", "--range", "0", "1")
    assert code == 0
    lines = told.splitlines()
    assert lines[0] == "toy-corner: top2 (rescored_example:top2)"
    assert [line.split()[:2] for line in lines[3:7]] == [
        [method, variant] for method in ("erm", "isnet") for variant in ("iid", "deceiving")
    ]
    assert "2000 bootstrap draws" in told and DATA[:12] in told and "takes no weights" not in told


def test_the_command_says_that_rows_were_drawn_the_slow_way(metrics, capsys):
    _, told, _ = printed(capsys, "--metric", "rescored_example:median_margin", "--format", "md", "--methods", "isnet")
    assert "| isnet | iid |" in told and "| erm |" not in told
    assert "resampled rows, 200 times" in told and "range is unknown" in told


def test_without_a_method_to_compare_there_is_no_family(metrics, capsys):
    _, told, _ = printed(capsys, "--metric", "rescored_example:top2", "--range", "0", "1", "--methods", "erm")
    assert "No method here has a difference to erm, so there is no p." in told and "Holm-adjusted" not in told
    _, told, _ = printed(capsys, "--metric", "rescored_example:top2", "--range", "0", "1", "--methods", "isnet")
    assert "Holm-adjusted over 1 method on each variant" in told


def test_csv_and_json_hold_the_same_numbers_in_full(metrics, capsys):
    call = ("--metric", "rescored_example:top2", "--variants", "deceiving", "--draws", "50")
    _, text, _ = printed(capsys, *call, "--format", "csv")
    code, told, _ = printed(capsys, *call, "--format", "json", "--out", "found.json")
    assert (code, told) == (0, "found.json: 2 rows\n")
    whole = json.loads((metrics / "found.json").read_text())
    assert (whole["metric"], whole["data"], whole["protocol"]) == ("rescored_example:top2", DATA, PROTOCOL)
    table = list(csv.DictReader(text.splitlines()))
    for from_csv, from_json in zip(table, whole["rows"], strict=True):
        assert from_csv.keys() == from_json.keys()
        assert from_csv["value"] == repr(from_json["value"])
        assert from_csv["diff"] == ("" if from_json["diff"] is None else repr(from_json["diff"]))
    assert table[0]["diff"] == "" and table[1]["diff"] != ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--variants", "oood"], "unknown variant of toy-corner"),
        (["--methods", "ism"], "unknown method on toy-corner"),
        (["--task", "toy-border"], "unknown task"),
        (["--suite", "default"], "unknown suite with predictions"),
        (["--suite", "../toy"], "suite name is not usable"),
        (["--draws", "1"], "expected 2 or more"),
        (["--range", "0", "0.5"], "expected finite values from 0 to 0.5"),
    ],
)
def test_bad_input_is_one_line_and_1(metrics, capsys, arguments, words):
    code, told, error = printed(capsys, "--metric", "rescored_example:top2", *arguments)
    assert (code, told, error.count("\n")) == (1, "", 1)
    assert words in error


def test_a_task_must_be_named_where_a_suite_has_several(metrics, capsys):
    put("erm", predictions(2), task="toy-border")
    code, _, error = printed(capsys, "--metric", "rescored_example:top2")
    assert code == 1 and "--task is missing; expected one of toy-border, toy-corner" in error


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({"attributes": {"data": "f" * 64}}, {}, "data hash of cell toy-corner-isnet differs"),
        ({"tested": dict.fromkeys(("iid", "deceiving"), images(label=(LABEL + 1) % K))}, {}, "test images of cell"),
        ({"tested": dict.fromkeys(("iid", "deceiving"), images(id=ID[::-1]))}, {}, "test images of cell"),
        ({}, {"data": "ffffffffffff"}, "data hash in"),
    ],
)
def test_cells_of_other_data_are_refused(project, changes, facts, words):
    put("isnet", predictions(4, **changes), **facts)
    with pytest.raises(BenchmarkError) as error:
        read_task("toy")
    assert words in str(error.value)


def test_a_skipped_cell_is_left_out_and_says_why_when_it_is_asked_for(project):
    put("isnet", predictions(4), skipped={"reason": "its images are not here", "do": "Fetch them."})
    assert [cell.method for cell in read_task("toy").predictions] == ["erm"]
    with pytest.raises(BenchmarkError, match="its images are not here"):
        read_task("toy", methods=["isnet"])


@pytest.mark.parametrize(("text", "words"), [(None, "is missing"), ("{", "is not JSON"), ("[]", "expected an object")])
def test_a_damaged_fact_sheet_is_told(project, text, words):
    path = project / "results" / "toy" / "cells" / "toy-corner-isnet.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(BenchmarkError, match=words):
        read_task("toy")
