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
