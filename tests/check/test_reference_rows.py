"""Recorded numbers: their rules, their sources, and how they are recorded."""

import json
from pathlib import Path

import pytest

from benchmark import __version__, paths
from benchmark.check.reference import COLUMNS, compare, compare_suite, read_reference, record
from benchmark.check.tolerance import Tolerance, half_width, parse_tolerance
from benchmark.errors import BenchmarkError
from benchmark.tables import read_rows, write_csv

OURS = "this project, version 0.1.0, training code abc, data def"


def row(value, low="", high="", source=OURS, tolerance="band", **names):
    cell = {"dataset": "mnist5k", "bias": "corner", "method": "erm", "variant": "iid", "metric": "accuracy"}
    numbers = {"value": value, "low": low, "high": high, "n_units": "1000", "n_seeds": "3"}
    return {**cell, **numbers, "tolerance": tolerance, "source": source} | names


RECORDED = row("0.900", "0.870", "0.930")  # half width 0.03


@pytest.mark.parametrize(
    ("new", "moves"),
    [
        # the other half width is 0.04, so the band is sqrt(0.03² + 0.04²) = 0.05
        (row("0.949", "0.909", "0.989"), False),
        (row("0.951", "0.911", "0.991"), True),
        (row("0.851", "0.811", "0.891"), False),
        (row("0.849", "0.809", "0.889"), True),
        # no interval: the band is 0.03
        (row("0.929"), False),
        (row("0.931"), True),
        (row("0.931", "0.9", ""), True),
    ],
)
def test_the_band_by_hand(new, moves):
    assert bool(compare([RECORDED], [new])) is moves


@pytest.mark.parametrize(
    ("rule", "new", "moves"),
    [
        ("abs 0.01", "0.909", False),
        ("abs 0.01", "0.911", True),
        ("abs 0.01", "0.889", True),
        ("abs 1e-3", "0.9009", False),
        ("abs 1e-3", "0.9011", True),
        ("exact", "0.9000000005", False),
        ("exact", "0.900000002", True),
    ],
)
def test_the_other_rules_do_not_look_at_intervals(rule, new, moves):
    assert bool(compare([{**RECORDED, "tolerance": rule}], [row(new, "0.5", "1.0")])) is moves


@pytest.mark.parametrize("rule", ["band", "exact", "abs 0.01", "abs 1e-05"])
def test_a_rule_reads_back_as_it_was_written(rule):
    assert str(parse_tolerance(rule, "row")) == rule


@pytest.mark.parametrize(
    "rule", ["", "bands", "abs", "abs x", "abs 0", "abs -1", "abs nan", "abs inf", "abs 1 2", "rel 0.1"]
)
def test_an_unknown_rule_is_refused_with_the_row_and_the_rules(rule):
    with pytest.raises(
        BenchmarkError, match=r"tolerance of reference row 'mnist5k corner erm iid accuracy'.*band, exact"
    ):
        compare([{**RECORDED, "tolerance": rule}], [RECORDED])


def test_an_asymmetric_interval_counts_with_half_its_length():
    assert half_width(row("0.99", "0.94", "1.0")) == pytest.approx(0.03)
    assert half_width(row("0.99")) == 0


def test_without_intervals_only_rounding_is_forgiven():
    assert compare([row("0.5")], [row("0.5000000000001")]) == []
    assert len(compare([row("0.5")], [row("0.50001")])) == 1
    assert Tolerance("band").allowed(row("0.5"), row("0.5")) == 1e-9


def test_what_moved_tells_the_number_its_band_and_what_was_found():
    (moved,) = compare([RECORDED], [row("0.80", "0.76", "0.84")])
    assert (moved.name, moved.recorded, moved.found) == ("mnist5k corner erm iid accuracy", "0.9000", "0.8000")
    assert moved.allowed == "± 0.0500 (band)"


@pytest.mark.parametrize("name", ["dataset", "bias", "method", "variant", "metric"])
def test_a_number_that_is_gone_has_moved(name):
    (moved,) = compare([RECORDED], [{**RECORDED, name: "other"}])
    assert (moved.recorded, moved.found) == ("0.900", "missing")


def test_a_number_that_is_no_longer_defined_has_moved():
    (moved,) = compare([RECORDED], [row("")])
    assert moved.found == "missing"
    (moved,) = compare([RECORDED], [row("nan", "nan", "nan")])
    assert moved.found == "nan"


def test_new_numbers_have_not_moved():
    assert compare([RECORDED], [RECORDED, row("0.1", method="isnet")]) == []


def test_only_what_moved_is_told_in_the_recorded_order():
    recorded = [row(value, method=method) for method, value in (("c", "0.1"), ("a", "0.2"), ("b", "0.3"))]
    summary = [row(value, method=method) for method, value in (("a", "0.2"), ("b", "0.4"), ("c", "0.4"))]
    assert [moved.name.split()[2] for moved in compare(recorded, summary)] == ["c", "b"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"source": ""}, "'mnist5k corner erm iid accuracy' names no source"),
        ({"source": "I remember it"}, "source of reference row .*I remember it"),
        ({"source": "paper: Bassi et al. 2024"}, "paper: <which>; table <n>; page <n>"),
        ({"source": "paper: Bassi et al. 2024; table 2"}, "paper: <which>; table <n>; page <n>"),
        ({"source": "paper: ; table 2; page 7"}, "paper: <which>; table <n>; page <n>"),
        ({"source": "this project"}, "source of reference row"),
        ({"value": ""}, "'mnist5k corner erm iid accuracy' has no value"),
        ({"value": "0,9"}, "value of reference row .*'0,9'; expected a number"),
        ({"high": "?"}, "high of reference row"),
    ],
)
def test_a_row_that_is_no_reference_is_refused(wrong, told):
    with pytest.raises(BenchmarkError, match=told):
        compare([RECORDED | wrong], [RECORDED])


def test_a_number_of_a_paper_is_compared_by_its_own_rule():
    source = "paper: Bassi et al. 2024, Nat. Commun. 15:291; table 2; page 7"
    recorded = row("0.90", tolerance="abs 0.005", source=source)
    assert compare([recorded], [row("0.904", "0.8", "1.0")]) == []
    (moved,) = compare([recorded], [row("0.906", "0.8", "1.0")])
    assert moved.allowed == "± 0.0050 (abs 0.005)"


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "default.csv"
    assert read_reference(path) == []
    write_csv(path, [RECORDED], COLUMNS)
    assert read_reference(path) == [RECORDED]
    write_csv(path, [RECORDED, RECORDED], COLUMNS)
    with pytest.raises(BenchmarkError, match=r"holds a row twice; got 'mnist5k corner erm iid accuracy'"):
        read_reference(path)
    old = [name for name in COLUMNS if name != "tolerance"]
    write_csv(path, [{name: RECORDED[name] for name in old}], old)
    with pytest.raises(BenchmarkError, match=r"lacks columns.*expected also tolerance.*--record"):
        read_reference(path)
    write_csv(path, [RECORDED], COLUMNS)
    path.write_text(f"{path.read_text()}mnist5k,corner\n")
    with pytest.raises(BenchmarkError, match=r"line 3 of .*expected 12 fields"):
        read_reference(path)


def test_every_committed_reference_is_one():
    for path in (Path(__file__).parents[2] / "results/reference").glob("*.csv"):
        assert read_reference(path), path


def test_recording_names_version_code_and_data_of_each_cell_and_then_nothing_has_moved(suite: paths.SuitePaths):
    rows = record(suite)
    recorded = read_reference(paths.REFERENCE / "default.csv")
    assert len(recorded) == rows > 0
    assert {r["tolerance"] for r in recorded} == {"band"}
    code, data = "c" * 12, "d" * 12
    assert {r["source"] for r in recorded} == {
        f"this project, version {__version__}, training code {code}, data {data}"
    }
    summary = {tuple(r[k] for k in COLUMNS[:5]): r for r in read_rows(suite.results / "summary.csv")}
    for r in recorded:
        assert {k: r[k] for k in ("value", "low", "high")} == {
            k: summary[tuple(r[k] for k in COLUMNS[:5])][k] for k in ("value", "low", "high")
        }
    part = compare_suite(suite)
    assert (part.compared, part.moved, part.left) == (rows, [], [])


def test_recording_again_keeps_rules_set_by_hand_and_numbers_of_papers(suite: paths.SuitePaths):
    record(suite)
    path = paths.REFERENCE / "default.csv"
    rows = read_reference(path)
    rows[0]["tolerance"] = "abs 0.02"
    paper = row("0.9", source="paper: Somebody 2020; table 1; page 3", tolerance="abs 0.005", dataset="other")
    write_csv(path, [*rows, paper], COLUMNS)
    record(suite)
    again = read_reference(path)
    assert again == [*rows, paper]


def test_a_skipped_data_set_and_a_method_of_another_suite_are_told_and_kept(suite: paths.SuitePaths):
    record(suite)
    path = paths.REFERENCE / "default.csv"
    rows = read_reference(path)
    gone, other = row("0.9", dataset="chexpert"), row("0.9", dataset="made", method="lff")
    write_csv(path, [*rows, gone, other], COLUMNS)
    facts = json.loads((suite.results / "suite.json").read_text())
    facts["skipped"] = [{"dataset": "chexpert", "skipped": {"reason": "needs credentials", "do": ""}}]
    (suite.results / "suite.json").write_text(json.dumps(facts))
    part = compare_suite(suite)
    assert (part.compared, part.moved) == (len(rows), [])
    assert [(left.what, left.why) for left in part.left] == [
        ("1 recorded rows of chexpert", "skipped: needs credentials"),
        ("1 recorded rows of lff", "no method of the suite"),
    ]
    record(suite)
    assert gone in read_reference(path)


def test_a_suite_without_a_reference_is_told(suite: paths.SuitePaths):
    part = compare_suite(suite)
    assert part.compared == 0
    assert "--record" in part.left[0].why
