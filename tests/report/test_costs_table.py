import shutil

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.costs import COLUMNS, costs_table, read_costs
from benchmark.report.page import write_report

ROWS = "erm,1.0,1.0,1.0,373370,25.8,nothing\nisnet,2.6594,1.7,1.004,373370,68.5,training masks\n"


def write(folder, rows):
    (folder / "costs.csv").write_text(",".join(COLUMNS) + "\n" + rows)
    return folder / "costs.csv"


def test_ratios_are_printed_with_two_decimals_and_kept_in_full(tmp_path):
    table = costs_table(read_costs(write(tmp_path, ROWS), {"erm", "isnet"}))
    assert [row.names for row in table.rows] == [("erm",), ("isnet",)]
    step, memory, inference, params, seconds, needs = table.rows[1].entries
    assert (step.text, step.value) == ("2.66", 2.6594)
    assert [entry.text for entry in (memory, inference, params, seconds)] == ["1.70", "1.00", "373,370", "68"]
    assert needs.text == "training masks"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            ROWS.replace("isnet", "insect"),
            r"costs.csv line 3, column 'method'; got 'insect'; expected one of erm, isnet",
        ),
        (ROWS.replace("2.6594", "much"), r"costs.csv line 3, column 'step_ratio'; got 'much'"),
        (ROWS.replace("2.6594", ""), r"costs.csv line 3, column 'step_ratio'; got ''; expected a number"),
        ("", "costs.csv is empty"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, told):
    with pytest.raises(BenchmarkError, match=told):
        read_costs(write(tmp_path, rows), {"erm", "isnet"})


BOUNDED = "step_ratio_low,step_ratio_high,inference_ratio_low,inference_ratio_high"
BOUNDED_ROWS = ROWS.replace("nothing", "nothing,1.0,1.0,1.0,1.0").replace("masks", "masks,2.367,3.023,,")


def write_bounded(folder, rows):
    (folder / "costs.csv").write_text(f"{','.join(COLUMNS)},{BOUNDED}\n{rows}")
    return folder / "costs.csv"


def test_a_ratio_is_printed_with_its_interval_where_it_has_one(tmp_path):
    table = costs_table(read_costs(write_bounded(tmp_path, BOUNDED_ROWS), {"erm", "isnet"}))
    first, second = (row.entries for row in table.rows)
    assert (second[0].text, second[0].interval) == ("2.66", "[2.37, 3.02]")
    assert [entry.interval for entry in (first[0], first[2], second[1], second[2])] == [""] * 4
    assert "95 % interval" in table.notes[0]
    assert "interval" not in costs_table(read_costs(write(tmp_path, ROWS), {"erm", "isnet"})).notes[0]


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ("2.367,,,", r"line 3, column 'step_ratio_high'; got ''"),
        ("2.7,3.0,,", r"line 3, column 'step_ratio_low'; got '\[2.7, 3.0\]'; expected an interval around 2.6594"),
        ("2.3,much,,", r"line 3, column 'step_ratio_high'; got 'much'"),
    ],
)
def test_wrong_bounds_are_named(tmp_path, bounds, told):
    rows = BOUNDED_ROWS.replace("2.367,3.023,,", bounds)
    with pytest.raises(BenchmarkError, match=told):
        read_costs(write_bounded(tmp_path, rows), {"erm", "isnet"})


def test_a_report_has_the_costs_where_they_were_measured_and_no_empty_heading_where_not(pristine, tmp_path):
    folder = shutil.copytree(pristine, tmp_path / "results")
    write_report(folder)
    assert "## Costs" not in (folder / "report.md").read_text()
    write(folder, ROWS)
    write_report(folder)
    assert "## Costs" in (folder / "report.md").read_text()
    html = (folder / "report.html").read_text()
    assert 'href="#costs"' in html
    assert '<data value="2.6594">2.66</data>' in html
