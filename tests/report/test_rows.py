import json

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.load import load
from benchmark.report.words import VARIANTS


def test_load_keeps_order_numbers_and_empty_fields(results):
    task = load(results).tasks[0]
    assert task.methods == ["erm", "isnet", "isnet_path"] and task.seeds("isnet") == [0, 1, 2]
    row = task.summary["erm", "ood", "accuracy"]
    assert (row.n_units, row.n_seeds, row.diff, row.p_holm) == (1000, 3, None, None)
    assert row.value == pytest.approx((0.31 + 0.35 + 0.27) / 3)
    assert task.scores["isnet", 2, "deceiving", "accuracy"] == 0.02


def test_variants_are_those_of_the_contract():
    from benchmark import api

    assert tuple(VARIANTS) == api.VARIANTS


def _first(**changes):
    return lambda table: table[0].update(changes)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("summary.csv", _first(value="0.9x"), "summary.csv line 2, column 'value'; got '0.9x'"),
        ("summary.csv", _first(value="nan"), "summary.csv line 2, column 'value'; got 'nan'"),
        ("summary.csv", _first(high="inf"), "column 'high'"),
        ("summary.csv", _first(low="0.999", high="0.2"), "expected at most high = 0.2"),
        ("summary.csv", _first(n_units="1.5"), "expected a whole number"),
        ("summary.csv", _first(method="erk"), "unknown cell in summary.csv line 2; got 'mnist5k-corner-erk'"),
        ("summary.csv", _first(dataset="../up"), "dataset name is not usable"),
        ("summary.csv", lambda table: table.append(table[0]), "is there twice"),
        ("summary.csv", lambda table: table.clear(), "summary.csv is empty"),
        ("scores.csv", _first(seed=""), "scores.csv line 2, column 'seed'"),
        ("scores.csv", _first(value="?"), "scores.csv line 2, column 'value'"),
        ("scores.csv", lambda table: table.append(table[0]), "is there twice"),
        ("scores.csv", lambda table: table.clear(), "scores.csv is empty"),
        ("claims.csv", _first(verdict="maybe"), "expected one of pass, fail, undecided"),
        ("claims.csv", _first(effect="big"), "claims.csv line 2, column 'effect'"),
    ],
)
def test_a_wrong_row_is_named(results, edit, name, change, words):
    edit(name, change)
    with pytest.raises(BenchmarkError) as error:
        load(results)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["suite.json", "summary.csv", "scores.csv"])
def test_a_missing_file_is_named(results, name):
    (results / name).unlink()
    with pytest.raises(BenchmarkError, match=f"{name} is missing"):
        load(results)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match="results folder does not exist"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(("name", "column"), [("summary.csv", "p_holm"), ("scores.csv", "seed"), ("claims.csv", "p")])
def test_a_missing_column_is_named(results, name, column):
    head, rest = (results / name).read_text().split("\n", 1)
    (results / name).write_text(",".join(c for c in head.split(",") if c != column) + "\n" + rest)
    with pytest.raises(BenchmarkError, match=f"{name} lacks column '{column}'"):
        load(results)


@pytest.mark.parametrize("text", ["a,b\n\xff", '"open'])
def test_a_broken_table_is_named(results, text):
    (results / "summary.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BenchmarkError, match=r"summary\.csv"):
        load(results)


def test_a_short_row_is_named(results):
    with (results / "summary.csv").open("a") as stream:
        stream.write("mnist5k,corner\n")
    with pytest.raises(BenchmarkError, match=r"summary\.csv line 67; got '2 fields'; expected 15"):
        load(results)


def _drop(key):
    return lambda suite: suite.pop(key)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop("code"), "suite.json lacks 'code'"),
        (_drop("protocol"), "suite.json lacks 'protocol'"),
        (lambda suite: suite.update(seeds="0"), "suite.json: 'seeds'; got '0'; expected list"),
        (lambda suite: suite.update(cells=[]), "suite.json has no cells"),
        (lambda suite: suite.update(cells=["erm"]), "suite.json: cell 0"),
        (lambda suite: suite["cells"][0].pop("needs"), "suite.json: cell mnist5k-corner-erm lacks 'needs'"),
        (lambda suite: suite["cells"][0].update(classes=1), "'classes'; got 1; expected at least 2"),
        (lambda suite: suite["cells"][1].update(classes=3), "expected 10, as in the other cells"),
        (lambda suite: suite["cells"][0].update(bias="<b>"), "bias name is not usable"),
        (lambda suite: suite["cells"].append(suite["cells"][0]), "names a cell twice"),
    ],
)
def test_a_wrong_suite_is_named(results, edit_suite, change, words):
    edit_suite(change)
    with pytest.raises(BenchmarkError) as error:
        load(results)
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps("suite")])
def test_a_suite_that_is_no_object_is_named(results, text):
    (results / "suite.json").write_text(text)
    with pytest.raises(BenchmarkError, match=r"suite\.json"):
        load(results)
