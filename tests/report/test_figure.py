import re
import xml.etree.ElementTree as ET

import pytest

from benchmark.report.figure import NARROW, describe, draw, wide
from benchmark.report.load import load

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def task(pristine):
    return load(pristine).tasks[0]


@pytest.mark.parametrize("stacked", [False, True])
def test_marks_stand_where_the_values_say(task, rows, stacked):
    frame = NARROW if stacked else wide(task)
    root = ET.fromstring(draw(task, frame, standalone=True))  # noqa: S314
    ticks = {e.text: float(e.get("x")) for e in root.iter(SVG + "text") if re.fullmatch(r"[01]\.\d", e.text)}
    zero, one = ticks["0.0"], ticks["1.0"]

    def value(x):
        return (float(x) - zero) / (one - zero)

    tolerance = {"abs": 0.011 / (one - zero)}
    summary = {(r["method"], r["variant"]): r for r in rows("summary.csv") if r["metric"] == "accuracy"}
    scores = [r for r in rows("scores.csv") if r["metric"] == "accuracy"]
    groups = {(g.get("data-method"), g.get("data-variant")): g for g in root.iter(SVG + "g") if g.get("data-method")}
    assert groups.keys() == summary.keys() and len(groups) == 9
    rows_of = [{g.get("data-method") for g in row} - {None} for row in root.iter(SVG + "g") if row.get("data-row")]
    assert rows_of == [{"erm"}, {"isnet"}, {"isnet_path"}]  # a page leaves whole rows out
    heights = []
    for key, group in groups.items():
        x, y = re.match(r"translate\((\S+) (\S+)\)", group.find(SVG + "path").get("transform")).groups()
        line = group.find(SVG + "line")
        assert value(x) == pytest.approx(float(summary[key]["value"]), **tolerance)
        assert value(line.get("x1")) == pytest.approx(float(summary[key]["low"]), **tolerance)
        assert value(line.get("x2")) == pytest.approx(float(summary[key]["high"]), **tolerance)
        dots = [value(circle.get("cx")) for circle in group.iter(SVG + "circle")]
        expected = [float(r["value"]) for r in scores if (r["method"], r["variant"]) == key]
        assert dots == pytest.approx(expected, **tolerance) and len(dots) == 3
        heights.append(float(y))
    assert heights == sorted(set(heights))
    chance = next(e for e in root.iter(SVG + "line") if e.get("class") == "chance")
    assert value(chance.get("x1")) == pytest.approx(0.1, **tolerance)
    assert root.get("aria-label") == describe(task) and "erm: iid 0.990, ood 0.310, deceiving 0.004" in describe(task)


def test_a_value_that_is_not_defined_is_written_and_an_interval_is_cut_at_the_axis(results, edit):
    def change(table):
        row = next(r for r in table if (r["method"], r["variant"], r["metric"]) == ("erm", "ood", "accuracy"))
        row.update(value="", low="", high="")
        row = next(r for r in table if (r["method"], r["variant"], r["metric"]) == ("erm", "iid", "accuracy"))
        row.update(low="-0.5", high="1.5")

    edit("summary.csv", change)
    task = load(results).tasks[0]
    frame = wide(task)
    root = ET.fromstring(draw(task, frame, standalone=True))  # noqa: S314
    groups = {(g.get("data-method"), g.get("data-variant")): g for g in root.iter(SVG + "g")}
    assert groups["erm", "ood"].find(SVG + "path") is None
    assert "not defined" in [e.text for e in groups["erm", "ood"].iter(SVG + "text")]
    line = groups["erm", "iid"].find(SVG + "line")
    assert (float(line.get("x1")), float(line.get("x2"))) == (frame.left, frame.right)


def test_a_long_name_gets_its_room(results, edit_suite, edit):
    name = "x" * 60
    edit_suite(lambda suite: suite["cells"][2].update(method=name))
    for table in ("summary.csv", "scores.csv"):
        edit(table, lambda rows: [r.update(method=name) for r in rows if r["method"] == "isnet_path"])
    task = load(results).tasks[0]
    assert wide(task).left > 60 * 7 + 80
