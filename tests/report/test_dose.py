import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from doses import DOSES, METHODS, accuracy, write_doses

from benchmark.errors import BenchmarkError
from benchmark.report import write_report
from benchmark.report.dose import study_for, study_of
from benchmark.report.dose_figure import COLOURS, MARKS, SHAPES, describe, draw_dose
from benchmark.report.dose_table import dose_tables
from benchmark.report.load import load

SVG = "{http://www.w3.org/2000/svg}"
ALONG = {
    "correlation": {0.1: "dose_r10", 0.5: "dose_r50", 0.9: "dose_r90", 1.0: "dose_full"},
    "strength": {0.1: "dose_s10", 0.25: "dose_s25", 0.5: "dose_s50", 1.0: "dose_full"},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(load(write_doses(tmp_path_factory.mktemp("made") / "dose")))


def change_suite(folder, change):
    suite = json.loads((folder / "suite.json").read_text())
    change(suite)
    (folder / "suite.json").write_text(json.dumps(suite))
    return folder


def drawn(study, **how):
    return ET.fromstring(draw_dose(study, standalone=True, **how))  # noqa: S314


def group(root, dial, method):
    (found,) = (g for g in root.iter(SVG + "g") if (g.get("data-dial"), g.get("data-method")) == (dial, method))
    return found


def place(mark):
    return [float(number) for number in re.match(r"translate\((\S+) (\S+)\)", mark.get("transform")).groups()]


def marks(found):
    return {float(e.get("data-dose")): place(e) for e in found if e.get("class") == "mark"}


def lines(found, variant):
    """The corners of each unbroken line of a variant."""
    paths = [e.get("d") for e in found if e.get("class") == variant]
    return [
        [tuple(map(float, pair.split())) for pair in path.removesuffix("h.1").removeprefix("M").split("L")]
        for path in paths
    ]


class Scale:
    """Reads values off a drawing, by the words at its axes."""

    def __init__(self, root, panel):
        texts = [(e.text, float(e.get("x")), float(e.get("y"))) for e in root.iter(SVG + "text")]
        self.zero, self.one = ([y - 4 for text, _, y in texts if text == word][panel] for word in ("0.0", "1.0"))
        dial = list(ALONG)[panel]
        (title,) = ((x, y) for text, x, y in texts if text == dial)
        self.at = {
            dose: next(
                x for text, x, y in texts if text == f"{dose:g}" and y == title[1] - 19 and abs(x - title[0]) < 190
            )
            for dose in ALONG[dial]
        }

    def value(self, y):
        return (self.zero - float(y)) / (self.zero - self.one)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("panel", [0, 1])
def test_every_mark_interval_and_line_stands_where_the_made_numbers_say(study, stacked, panel):
    root, dial = drawn(study, stacked=stacked), list(ALONG)[panel]
    scale, asides = Scale(root, panel), set()
    for method in METHODS:
        found = group(root, dial, method)
        spots, whiskers = marks(found), [e for e in found if e.get("class") == "interval"]
        assert list(spots) == list(ALONG[dial]) and len(whiskers) == 4
        for (dose, (x, y)), whisker in zip(spots.items(), whiskers, strict=True):
            expected = accuracy(method, "deceiving", *DOSES[ALONG[dial][dose]])
            assert scale.value(y) == pytest.approx(expected, abs=1e-4)
            assert scale.value(whisker.get("y1")) == pytest.approx(max(expected - 0.03, 0), abs=1e-4)
            assert scale.value(whisker.get("y2")) == pytest.approx(min(expected + 0.03, 1), abs=1e-4)
            assert float(whisker.get("x1")) == float(whisker.get("x2")) == x
            assert abs(x - scale.at[dose]) < 10
        (aside,) = {round(x - scale.at[dose], 1) for dose, (x, _) in spots.items()}
        asides.add(aside)
        (line,), (iid,) = lines(found, "deceiving"), lines(found, "iid")
        assert line == [tuple(spot) for spot in spots.values()]
        assert [scale.value(y) for _, y in iid] == pytest.approx([0.98] * 4, abs=1e-4)
    assert len(asides) == len(METHODS)  # side by side
    left, right = min(scale.at.values()), max(scale.at.values())
    assert {d: (x - left) / (right - left) for d, x in scale.at.items()} == pytest.approx(
        {d: (d - 0.1) / 0.9 for d in scale.at}, abs=1e-3
    )
    chance = [e for e in root.iter(SVG + "line") if e.get("class") == "chance"][panel]
    assert scale.value(chance.get("y1")) == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize("stacked", [False, True])
def test_nothing_leaves_the_drawing(study, stacked):
    root = drawn(study, stacked=stacked)
    width, height = float(root.get("width")), float(root.get("height"))
    spots = [place(e) for e in root.iter(SVG + "path") if e.get("class") == "mark"]
    spots += [(float(e.get("x")), float(e.get("y"))) for e in root.iter(SVG + "text")]
    spots += [(float(e.get("x2")), float(e.get("y2"))) for e in root.iter(SVG + "line")]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)
    assert all(x < 190 * 2 for x, _ in spots) == stacked


def test_a_method_keeps_its_colour_and_shape_and_no_other_has_both(study):
    looks = set()
    for method in METHODS:
        found = [e for dial in ALONG for e in group(drawn(study), dial, method) if e.get("class") == "mark"]
        (look,) = {(e.get("fill"), e.get("d")) for e in found}
        looks.add(look)
    assert len(looks) == len(METHODS)
    assert all(f"--m{i}:{colour[0]};" in MARKS and f"--m{i}:{colour[1]};" in MARKS for i, colour in enumerate(COLOURS))
    assert len({(i % len(COLOURS), i % len(SHAPES)) for i in range(56)}) == 56


def test_the_key_names_every_method_by_its_mark(study):
    root = drawn(study)
    keys = [e for e in root if e.get("class") == "mark"]
    named = {
        e.text: (float(e.get("x")), float(e.get("y"))) for e in root if e.tag == SVG + "text" and not e.get("class")
    }
    assert list(named) == list(METHODS)
    for mark, (method, (x, y)) in zip(keys, named.items(), strict=True):
        assert (place(mark)[0] + 12, place(mark)[1] + 4) == (x, y)
        assert mark.get("d") == next(e for e in group(root, "strength", method) if e.get("class") == "mark").get("d")


def test_a_value_that_is_not_defined_breaks_the_line_and_is_told_in_the_table(tmp_path):
    study = study_of(load(write_doses(tmp_path / "dose", undefined=[("dose_r90", "rrr"), ("dose_s25", "erm")])))
    found = group(drawn(study), "correlation", "rrr")
    assert list(marks(found)) == [0.1, 0.5, 1.0]
    assert [len(line) for line in lines(found, "deceiving")] == [2, 1]
    assert [len(line) for line in lines(found, "iid")] == [4]
    assert "rrr by correlation, at strength 1: 0.1 0.980, 0.5 0.842, 1 0.280;" in describe(study)
    row = next(row for row in dose_tables(study)[0].rows if row.names == ("rrr", "0.9"))
    assert [entry.text for entry in row.entries] == ["not defined: no image has a value", "0.980", "1000", "3"]


def test_a_cell_that_is_missing_breaks_the_line_and_is_told_in_the_table(tmp_path):
    study = study_of(load(write_doses(tmp_path / "dose", lacking=[("dose_r10", "erm"), ("dose_s50", "isnet")])))
    assert set(study.methods) == set(METHODS)
    assert list(marks(group(drawn(study), "correlation", "erm"))) == [0.5, 0.9, 1.0]
    assert [len(line) for line in lines(group(drawn(study), "strength", "isnet"), "deceiving")] == [2, 1]
    row = next(row for row in dose_tables(study)[1].rows if row.names == ("isnet", "0.5"))
    assert [entry.reason for entry in row.entries] == ["summary.csv has no row for it"] * 2 + [
        "no test unit",
        "no seed",
    ]


def test_a_missing_dose_is_a_point_less_and_a_dial_of_one_dose_is_no_series(tmp_path):
    some = {name: DOSES[name] for name in ("dose_r10", "dose_r90", "dose_full")}
    study = study_of(load(write_doses(tmp_path / "dose", doses=some)))
    assert [(one.dial, list(one.tasks)) for one in study.series] == [("correlation", [0.1, 0.9, 1.0])]
    assert len([e for e in drawn(study).iter(SVG + "line") if e.get("class") == "chance"]) == 1


def test_a_series_holds_the_other_dial_where_most_doses_lie(tmp_path):
    grid = {"a": (0.5, 0.2), "b": (0.5, 0.4), "c": (0.5, 1.0), "d": (1.0, 0.2), "e": (1.0, 1.0)}
    study = study_of(load(write_doses(tmp_path / "dose", doses=grid)))
    assert [(one.title, list(one.tasks)) for one in study.series] == [
        ("correlation, at strength 1", [0.5, 1.0]),  # as many as at 0.2: the greater
        ("strength, at correlation 0.5", [0.2, 0.4, 1.0]),
    ]


def test_the_tables_hold_every_number_with_its_units_and_seeds(study):
    for table, (dial, tasks) in zip(dose_tables(study), ALONG.items(), strict=True):
        assert [row.names for row in table.rows] == [(method, f"{dose:g}") for method in METHODS for dose in tasks]
        for row in table.rows:
            dose = DOSES[tasks[float(row.names[1])]]
            deceiving, iid, units, seeds = row.entries
            assert deceiving.value == pytest.approx(accuracy(row.names[0], "deceiving", *dose))
            assert deceiving.interval == f"[{deceiving.value - 0.03:.3f}, {deceiving.value + 0.03:.3f}]"
            assert (iid.text, units.text, seeds.text) == ("0.980", "1000", "3")
        assert table.heads[1].text == dial.capitalize()


def other_dataset(suite):
    suite["cells"][0].update(dataset="cifar")


@pytest.mark.parametrize(
    "change",
    [
        lambda suite: suite["cells"][0]["bias_settings"].update(size=0.1),
        lambda suite: suite["cells"][0].update(registered_bias="tint"),
        lambda suite: suite["cells"][0]["bias_settings"].pop("strength"),
        lambda suite: suite["cells"][0]["bias_settings"].update(strength="high"),
        lambda suite: suite["cells"][0]["bias_settings"].update(correlation=0.9),  # as another task has it
        lambda suite: [cell.pop("bias_settings") for cell in suite["cells"]],  # of a version that told none
        other_dataset,
    ],
)
def test_tasks_that_differ_in_anything_but_the_dials_are_no_study(tmp_path, change):
    folder = write_doses(tmp_path / "dose", methods=["erm"])
    assert study_of(load(folder)) is not None
    change_suite(folder, change)
    if change is other_dataset:
        for table in ("summary.csv", "scores.csv"):
            (folder / table).write_text((folder / table).read_text().replace("mnist5k,dose_r10", "cifar,dose_r10"))
    assert study_of(load(folder)) is None


def test_cells_of_one_task_with_other_settings_are_an_error(tmp_path):
    folder = write_doses(tmp_path / "dose")
    change_suite(folder, lambda suite: suite["cells"][1]["bias_settings"].update(strength=0.3))
    with pytest.raises(
        BenchmarkError, match=r"cell mnist5k-dose_r10-rrr: settings of its bias.*as in mnist5k-dose_r10-erm"
    ):
        study_of(load(folder))


def test_the_suite_of_doses_shows_its_study_first(tmp_path):
    folder = write_doses(tmp_path / "dose")
    assert folder / "figures/dose.svg" in write_report(folder)
    for page, first in (("report.md", "## mnist5k"), ("report.html", 'h2 id="mnist5k-dose_r10"')):
        text = (folder / page).read_text()
        assert 0 < text.index("Dose and response") < text.index(first)
        assert "These numbers are of the suite" not in text


def test_the_default_suite_shows_the_study_beside_it_and_says_whose_it_is(results):
    made = write_doses(results.parent / "dose")
    written = write_report(results)
    write_report(made)
    assert results / "figures/dose.svg" in written
    assert (results / "figures/dose.svg").read_bytes() == (made / "figures/dose.svg").read_bytes()
    for page, last in (("report.md", "### Metrics of predictions"), ("report.html", "mnist5k-corner-metrics")):
        text = (results / page).read_text()
        assert (
            text.count("These numbers are of the suite dose (results/dose): the bias corner on mnist5k, each dose its")
            == 1
        )
        assert "4 epochs with the seeds 0, 1, 2" in text
        assert text.rindex("Dose and response") > text.index(last)
    assert "](figures/dose.svg)" in (results / "report.md").read_text()
    assert (
        "| erm | 0.9 | 0.229 [0.199, 0.259] | 0.980 [0.950, 1.010] | 1000 | 3 |" in (results / "report.md").read_text()
    )
    assert '<data value="' in (results / "report.html").read_text().partition("caption-dose-strength")[2]


def test_without_a_suite_of_doses_nothing_is_told_of_it(results):
    before = [path.name for path in write_report(results)]
    pages = {name: (results / name).read_bytes() for name in ("report.md", "report.html")}
    (results.parent / "dose").mkdir()  # as DVC leaves it while the suite runs
    assert [path.name for path in write_report(results)] == before and "dose.svg" not in before
    assert {name: (results / name).read_bytes() for name in pages} == pages
    assert b"Dose" not in pages["report.md"] + pages["report.html"]


def test_a_study_of_another_protocol_is_left_out(results):
    folder = write_doses(results.parent / "dose")
    assert study_for(load(results)) is not None
    change_suite(folder, lambda suite: suite["protocol"].append("The epoch is chosen on deceiving images."))
    assert study_for(load(results)) is None


def test_a_suite_that_is_not_the_default_one_shows_no_other(results, edit_suite):
    write_doses(results.parent / "dose")
    edit_suite(lambda suite: suite.update(suite="methods"))
    assert study_for(load(results)) is None


def test_a_broken_suite_beside_is_an_error_that_names_it(results):
    folder = write_doses(results.parent / "dose")
    (folder / "summary.csv").unlink()
    with pytest.raises(
        BenchmarkError, match=r"suite dose, which this report shows too: summary.csv is missing; got .*dose/summary.csv"
    ):
        write_report(results)


def test_equal_numbers_give_equal_bytes(tmp_path):
    one, two = (write_doses(Path(tmp_path) / name / "dose") for name in "ab")
    for folder in (one, two):
        write_report(folder)
    for name in ("figures/dose.svg", "report.md", "report.html"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
