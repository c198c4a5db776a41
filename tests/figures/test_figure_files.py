"""What lies in ``figures/`` after drawing: names, bytes, sizes, captions, and reasons for what is not there."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmark.errors import BenchmarkError
from benchmark.figures import captions, draw_all
from benchmark.figures.save import compact, save_png
from benchmark.report.png import SIGNATURE

KINDS = ("forest.svg", "slopes.svg", "scatter.svg", "cost.svg", "reliability.svg", "heatmaps.png")
RESULTS = Path(__file__).resolve().parents[2] / "results"


def told(folder, kind):
    return next(words for name, words in captions(folder).items() if kind in name)


def test_a_task_has_six_figures_and_their_captions(suite, tmp_path):
    folder = suite(methods=3, tasks=("d-b", "e-c"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    paths = draw_all(folder, tmp_path / "out")
    names = [f"{task}-{kind}" for task in ("d-b", "e-c") for kind in KINDS]
    assert paths == [tmp_path / "out" / "figures" / name for name in [*names, "captions.json"]]
    assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir()) == sorted([*names, "captions.json"])
    written = json.loads(paths[-1].read_text())
    assert written == captions(folder) and sorted(written) == sorted(names)
    assert all(set(words) == {"title", "caption", "alt"} and all(words.values()) for words in written.values())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_two_draws_give_equal_bytes_whatever_the_user_set(suite, tmp_path):
    folder = suite(methods=3)
    first = [path.read_bytes() for path in draw_all(folder, tmp_path / "one")]
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": None, "lines.linewidth": 9, "axes.grid": True}):
        second = [path.read_bytes() for path in draw_all(folder, tmp_path / "two")]
    assert first == second


def test_an_svg_is_a_picture_with_a_title_on_white_round_paper_and_real_words(suite, tmp_path):
    folder = suite(methods=3)
    for path in draw_all(folder, tmp_path):
        if path.suffix != ".svg":
            continue
        root = ElementTree.fromstring(path.read_text())  # noqa: S314
        space = "{http://www.w3.org/2000/svg}"
        assert root.get("role") == "img" and root.find(f"{space}title").text == captions(folder)[path.name]["title"]
        first = next(root.iter(f"{space}path"))
        rules = dict(re.findall(r"\.([\w-]+)\{([^}]*)\}", next(root.iter(f"{space}style")).text))
        assert "fill: #ffffff" in rules[first.get("class")] and "Q" in first.get("d")  # a round corner is a curve
        assert all(node.get("class") in rules for node in root.iter() if node.get("class"))
        words = [node.text for node in root.iter(f"{space}text")]
        assert any("erm" in (word or "") for word in words)
        text = path.read_text()
        assert not re.search(r"<dc:date>|/home/|/tmp|[ \t]\n", text)
        assert "sans-serif" in text


@pytest.mark.parametrize("methods", [11, 26])
def test_many_methods_stay_small(suite, tmp_path, methods):
    sizes = {path.name: path.stat().st_size for path in draw_all(suite(methods=methods, classes=10), tmp_path)}
    for name, size in sizes.items():
        assert size < (300_000 if name.endswith(".png") else 150_000), name
    assert (tmp_path / "figures" / "d-b-heatmaps.png").read_bytes().startswith(SIGNATURE)


def test_captions_count_units_and_seeds(suite):
    folder = suite(methods=3)
    for kind in KINDS[:4]:
        assert "1000 units, 3 seeds" in told(folder, kind)["caption"]
    assert "100 units, 3 seeds" in told(folder, "scatter")["caption"]
    assert "40 images, 3 seeds" in told(folder, "reliability")["caption"]
    assert "4 classes" in told(folder, "heatmaps")["caption"]


def test_the_words_hold_the_numbers(suite):
    folder = suite(methods=3)
    alt = told(folder, "slopes")["alt"]
    lines = (folder / "summary.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines if ",accuracy," in line]
    assert len(rows) == 9
    for row in rows:
        assert "{} {:.3f} [{:.3f}, {:.3f}]".format(row[3], *map(float, row[6:9])) in alt


@pytest.mark.parametrize(
    ("file", "kind", "reason"),
    [
        ("costs.csv", "cost", "the suite has no costs.csv"),
        ("reliability.csv", "reliability", "reliability.csv has no bin of this task"),
        ("gallery", "heatmaps", "no method of the task has a file in gallery/"),
    ],
)
def test_a_missing_file_takes_one_figure_and_says_so(suite, tmp_path, file, kind, reason):
    folder = suite(methods=2)
    draw_all(folder)
    target = folder / file
    if target.is_dir():
        target.rename(tmp_path / "away")
    else:
        target.unlink()
    names = [path.name for path in draw_all(folder)]
    assert len(names) == 6 and not any(kind in name for name in names)
    assert not list((folder / "figures").glob(f"*{kind}*"))  # that of the first call is deleted
    words = json.loads((folder / "figures" / "captions.json").read_text())
    lacking = next(each for name, each in words.items() if kind in name)
    assert lacking["caption"] == f"Not drawn: {reason}." and lacking["alt"] == ""


def test_a_method_without_value_is_left_out_by_name(suite, edit):
    folder = suite(methods=4)
    gone = {"value": "", "low": "", "high": "", "diff": "", "diff_low": "", "diff_high": "", "p_holm": ""}

    def change(rows):
        return [row | gone if (row["method"], row["variant"]) == ("cdep", "deceiving") else row for row in rows]

    edit(folder / "summary.csv", change)
    assert "Left out: cdep (no value)." in told(folder, "forest")["caption"]
    assert "Left out: cdep (no accuracy on deceiving)." in told(folder, "cost")["caption"]
    assert "cdep: iid 0." in told(folder, "slopes")["alt"] and "deceiving no value" in told(folder, "slopes")["alt"]
    draw_all(folder)


def test_a_method_without_bounds_has_a_mark_and_no_bar(suite, edit):
    folder = suite(methods=3)
    bare = dict.fromkeys(("low", "high", "diff_low", "diff_high", "p_holm"), "")
    edit(folder / "summary.csv", lambda rows: [row | bare if row["method"] == "bg_swap" else row for row in rows])
    assert "[no interval], no p" in told(folder, "forest")["alt"]
    assert "No p, for the difference does not vary: bg_swap." in told(folder, "forest")["caption"]
    draw_all(folder)


def test_a_missing_metric_takes_its_panel(suite, edit):
    folder = suite(methods=3)
    edit(folder / "summary.csv", lambda rows: [r for r in rows if r["metric"] != "background_swap_flip_rate"])
    assert "Not drawn: background_swap_flip_rate" in told(folder, "scatter")["caption"]
    draw_all(folder)


def test_without_the_reference_there_are_no_differences(suite):
    folder = suite(methods=3)
    facts = json.loads((folder / "suite.json").read_text())
    facts["cells"] = facts["cells"][1:]
    (folder / "suite.json").write_text(json.dumps(facts))
    for name in ("summary.csv", "scores.csv", "costs.csv"):
        text = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in text if "erm" not in line.split(",")[:3]))
    assert told(folder, "forest")["caption"].startswith("Not drawn: the task has no accuracy of erm")
    assert len(draw_all(folder)) == 6


def test_a_suite_of_iid_alone_shows_what_it_can(suite):
    folder = suite(methods=3, variants=("iid",))
    names = [path.name for path in draw_all(folder)]
    assert names == ["d-b-reliability.svg", "d-b-heatmaps.png", "captions.json"]
    assert "no variant beside iid" in told(folder, "forest")["caption"]


def test_a_suite_of_many_tasks_has_one_overview(suite):
    folder = suite(methods=3, tasks=tuple(f"d-b{i}" for i in range(6)))
    assert [path.name for path in draw_all(folder)] == ["overview.svg", "captions.json"]
    assert "6 tasks" in captions(folder)["overview.svg"]["caption"]


def test_a_suite_of_which_all_was_skipped_has_no_figure(suite):
    folder = suite(methods=2)
    facts = json.loads((folder / "suite.json").read_text())
    skipped = [{"dataset": "d", "bias": "b", "method": "erm", "skipped": {"reason": "no data", "do": "fetch it"}}]
    (folder / "suite.json").write_text(json.dumps(facts | {"cells": [], "skipped": skipped}))
    for name in ("summary.csv", "scores.csv", "costs.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.splitlines(keepends=True)[0])
    assert [path.name for path in draw_all(folder)] == ["captions.json"]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match="results folder does not exist"):
        draw_all(tmp_path / "tb")


@pytest.mark.parametrize("name", ["default", "methods", "minority", "dose", "hacking", "architectures"])
def test_committed_suites_have_captions_for_what_is_there(name):
    words = captions(RESULTS / name)
    assert words and all(each["caption"] and each["title"] for each in words.values())
    drawn = {file for file, each in words.items() if not each["caption"].startswith("Not drawn: ")}
    assert drawn and all(words[file]["alt"] for file in drawn)


def test_a_method_without_a_gallery_leaves_its_column(suite):
    folder = suite(methods=3)
    (folder / "gallery" / "d-b-bg_swap.npz").unlink()
    words = told(folder, "heatmaps")
    assert "Left out: bg_swap (no file in gallery/)." in words["caption"]
    assert "bg_swap" not in words["alt"] and "ag_sononet: 3 of 4 right" in words["alt"]


def test_a_picture_too_large_loses_colours_and_pixels_but_is_written(tmp_path, monkeypatch):
    figure = Figure(figsize=(3, 3))
    noise = np.random.default_rng(0).random((200, 200, 3))
    figure.add_axes((0, 0, 1, 1)).imshow(noise, interpolation="nearest")
    monkeypatch.setattr("benchmark.figures.save.LARGEST", 60_000)
    save_png(figure, tmp_path / "x.png", 300)
    assert (tmp_path / "x.png").stat().st_size <= 60_000
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width == picture.height < 900 and picture.mode == "P"


def test_compact_rounds_places_and_leaves_words_and_meaning_alone():
    svg = (
        '<svg><style>*{a: b}</style>\n <g id="axes_1">\n  <g clip-path="url(#p1)">\n'
        '   <path d="M 1.23456 -0.001\nL -0.567 3" style="fill: red"/>\n  </g>\n  <g id="empty_1"/>\n </g>\n'
        ' <text x="7.0004" style="fill: red" transform="rotate(-0 1 2)">-0.1234</text>\n</svg>'
    )
    root = ElementTree.fromstring(compact(svg, "x"))  # noqa: S314
    path, text = next(root.iter("path")), next(root.iter("text"))
    assert path.get("d").split() == ["M", "1.23", "0", "L", "-0.57", "3"]
    assert (text.text, text.get("x"), text.get("transform")) == ("-0.1234", "7", None)
    assert path.get("class") == text.get("class") and f".{path.get('class')}{{fill: red}}" in root.find("style").text
    assert [group.attrib for group in root.iter("g")] == [{"clip-path": "url(#p1)"}]
