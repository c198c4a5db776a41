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
        # the other half width is 0.0125, so the band is sqrt(0.03² + 0.0125²) = 0.0325
        (row("0.932", "0.9195", "0.9445"), False),
        (row("0.933", "0.9205", "0.9455"), True),
        (row("0.868", "0.8555", "0.8805"), False),
        (row("0.867", "0.8545", "0.8795"), True),
        # a wider one counts as the recorded one: sqrt(0.03² + 0.03²) = 0.04243
        (row("0.942", "0.6", "1.0"), False),
        (row("0.943", "0.6", "1.0"), True),
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


def test_a_method_of_which_one_seed_has_collapsed_is_not_saved_by_its_own_wide_interval():
    # 0.98, 0.975 and 0.10: mean 0.685, t(0.975, 2) s / sqrt(3) = 1.26
    collapsed = row("0.685", "0.0", "1.0")
    (moved,) = compare([row("0.976", "0.966", "0.986")], [collapsed])
    assert moved.allowed == "± 0.0141 (band)"


def test_a_clipped_interval_counts_with_its_longer_half():
    assert half_width(row("0.99", "0.94", "1.0")) == pytest.approx(0.05)
    assert half_width(row("0.01", "0.0", "0.06")) == pytest.approx(0.05)
    assert half_width(row("0.99")) == 0


def test_without_intervals_only_rounding_is_forgiven():
    assert compare([row("0.5")], [row("0.5000000000001")]) == []
    assert len(compare([row("0.5")], [row("0.50001")])) == 1
    assert Tolerance("band").allowed(row("0.5"), row("0.5")) == 1e-9


def test_what_moved_tells_the_number_its_band_and_what_was_found():
    (moved,) = compare([RECORDED], [row("0.80", "0.7875", "0.8125")])
    assert (moved.name, moved.recorded, moved.found) == ("mnist5k corner erm iid accuracy", "0.9000", "0.8000")
    assert moved.allowed == "± 0.0325 (band)"


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
        ({"value": "nan"}, "value of reference row .*'nan'; expected a number"),
        ({"high": "inf"}, "high of reference row .*'inf'; expected a number"),
        ({"low": "0.91"}, r"interval of reference row .*expected around 0.9"),
        ({"high": "0.89"}, r"interval of reference row .*expected around 0.9"),
        ({"tolerance": "abs 1.1"}, r"tolerance of reference row .*'abs 1.1'; expected at most 1, the metric's range"),
        ({"tolerance": "abs 1.1", "metric": "unheard_of"}, "expected at most 1, the metric's range"),
    ],
)
def test_a_row_that_is_no_reference_is_refused(wrong, told):
    with pytest.raises(BenchmarkError, match=told):
        compare([RECORDED | wrong], [RECORDED])


def test_a_tolerance_of_a_gap_may_be_as_wide_as_its_range():
    gap = row("0.5", tolerance="abs 1.9", metric="accuracy_gap")
    assert compare([gap], [gap]) == []
    with pytest.raises(BenchmarkError, match="at most 2"):
        compare([gap | {"tolerance": "abs 2.1"}], [gap])


def test_units_seeds_and_data_of_our_own_numbers_are_compared_exactly():
    new = RECORDED | {"n_units": "999", "n_seeds": "2"}
    cell = ("mnist5k", "corner", "erm")
    told = [(one.column, one.recorded, one.found) for one in compare([RECORDED], [new], {cell: "other"})]
    assert told == [("n_units", "1000", "999"), ("n_seeds", "3", "2"), ("data", "def", "other")]
    assert compare([RECORDED], [RECORDED], {cell: "def"}) == []
    assert compare([RECORDED], [RECORDED], {cell: ""}) == [], "not both name their data"
    nameless = RECORDED | {"source": "this project, version 0.1.0, training code abc"}
    assert compare([nameless], [RECORDED], {cell: "other"}) == []
    paper = RECORDED | {"source": "paper: Somebody 2020; table 1; page 3"}
    assert compare([paper], [new], {cell: "other"}) == []


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
    (moved,) = compare_suite(suite).moved
    assert moved.found == "no method of the suite"


def skip(suite: paths.SuitePaths, method: str) -> None:
    (cell,) = (cell for cell in suite.suite().cells() if cell.method == method)
    mark = {"reason": "needs credentials", "do": ""}
    suite.facts(cell).write_text(json.dumps({**vars(cell), "skipped": mark}))


def test_rows_of_a_skipped_cell_are_told_and_kept_whatever_suite_json_says(suite: paths.SuitePaths):
    record(suite)
    path = paths.REFERENCE / "default.csv"
    rows = read_reference(path)
    gone = [r for r in rows if r["method"] == "rrr"]
    skip(suite, "rrr")
    assert json.loads((suite.results / "suite.json").read_text())["skipped"] == []
    part = compare_suite(suite)
    assert (part.compared, part.moved) == (len(rows) - len(gone), [])
    (left,) = part.left
    assert (left.what, left.why) == (f"{len(gone)} recorded rows of made", "skipped: needs credentials")
    assert left.excused
    table = suite.results / "summary.csv"
    summary = read_rows(table)
    write_csv(table, [r for r in summary if r["method"] != "rrr"], list(summary[0]))
    record(suite)
    assert all(r in read_reference(path) for r in gone)


def test_a_recorded_row_of_a_method_that_the_suite_has_not_has_moved(suite: paths.SuitePaths):
    record(suite)
    path = paths.REFERENCE / "default.csv"
    rows = read_reference(path)
    write_csv(path, [*rows, row("0.9", dataset="made", method="lff")], COLUMNS)
    (moved,) = compare_suite(suite).moved
    assert (moved.name, moved.found) == ("made corner lff iid accuracy", "no method of the suite")


@pytest.mark.parametrize("text", [None, ",".join(COLUMNS) + "\n"])
def test_a_suite_without_recorded_numbers_has_moved(suite: paths.SuitePaths, text: str | None):
    if text:
        paths.REFERENCE.mkdir(parents=True)
        (paths.REFERENCE / "default.csv").write_text(text)
    part = compare_suite(suite)
    assert part.compared == 0
    assert "--record" in part.moved[0].allowed


def test_new_numbers_are_counted_until_they_are_recorded(suite: paths.SuitePaths):
    record(suite)
    path = paths.REFERENCE / "default.csv"
    write_csv(path, read_reference(path)[2:], COLUMNS)
    part = compare_suite(suite)
    assert part.moved == []
    assert [(left.what, left.excused) for left in part.left] == [("2 rows of summary.csv", False)]


def test_nothing_is_recorded_if_one_row_is_no_reference(suite: paths.SuitePaths):
    table = suite.results / "summary.csv"
    rows = read_rows(table)
    next(r for r in rows if r["metric"] == "accuracy")["low"] = "0.999999"
    write_csv(table, rows, list(rows[0]))
    with pytest.raises(BenchmarkError, match="interval of reference row"):
        record(suite)
    assert not (paths.REFERENCE / "default.csv").exists()
