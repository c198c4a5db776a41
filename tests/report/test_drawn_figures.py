"""The drawn figures on the pages: shown where they are, with a reason where they are not."""

import json
import re

import pytest

from benchmark.errors import BenchmarkError
from benchmark.report.figures_shown import read_figures, read_overview
from benchmark.report.load import load
from benchmark.report.page import write_pages, write_report
from benchmark.report.png import encode
from benchmark.report.records import Selection

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>{}</title></svg>'
WORDS = {"title": "mnist5k-corner: cost of it", "caption": "How | to read it.", "alt": "erm 1 < isnet 2"}


def plant(folder, names, told=None):
    """Figures of the given names, with captions of theirs or of others."""
    (folder / "figures").mkdir(exist_ok=True)
    for name in names:
        (folder / "figures" / name).write_text(SVG.format(name))
    told = dict.fromkeys(names, WORDS) if told is None else told
    (folder / "figures" / "captions.json").write_text(json.dumps(told))


def figures(folder, **more):
    results = load(folder)
    return read_figures(results, results.tasks[0], **more)


def test_figures_stand_on_the_page_with_their_words(results, tmp_path):
    plant(results, ["mnist5k-corner-cost.svg", "mnist5k-corner-forest.svg", "other-task-cost.svg"])
    write_report(results, tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 2 and page.count('alt="erm 1 &lt; isnet 2"') == 2
    assert "2 figures: Cost of it; Cost of it" in page
    text = (tmp_path / "out/report.md").read_text()
    links = re.findall(r"!\[erm 1 &lt; isnet 2\]\((.*?)\)", text)
    assert links == ["figures/mnist5k-corner-forest.svg", "figures/mnist5k-corner-cost.svg"]
    assert all((tmp_path / "out" / link).read_bytes() == (results / link).read_bytes() for link in links)
    assert r"Cost of it. How \| to read it." in text


def test_a_figure_that_could_not_be_drawn_says_why(results):
    plant(results, [], {"mnist5k-corner-slopes.svg": WORDS | {"alt": "", "caption": "Not drawn: one variant."}})
    assert figures(results).absent == ["Cost of it. Not drawn: one variant."]
    write_report(results)
    assert all("Not drawn: one variant." in (results / f"report.{form}").read_text() for form in ("html", "md"))


def test_where_nothing_was_drawn_the_page_says_how(results):
    assert figures(results).absent == ["No figure was drawn yet: the stage report, which dvc repro runs, draws them."]
    write_report(results)
    assert "No figure was drawn yet" in (results / "report.html").read_text()


def test_a_selection_has_no_drawn_figures_and_says_why(results, tmp_path):
    from benchmark.report.select import select

    plant(results, ["mnist5k-corner-cost.svg"])
    chosen = select(load(results), Selection(methods=frozenset(["erm", "isnet"])))
    write_pages(chosen, tmp_path / "out")
    assert not (tmp_path / "out/figures/mnist5k-corner-cost.svg").exists()
    page = (tmp_path / "out/report.html").read_text()
    assert "svg+xml" not in page and "a selection has none" in page


def test_a_suite_of_many_tasks_has_an_overview_before_them(results):
    plant(results, ["overview.svg"], {"overview.svg": WORDS | {"title": "All of it"}})
    assert [one.title for one in read_overview(load(results)).shown] == ["All of it"]
    assert figures(results).shown == [] and "overview" in figures(results).absent[0]
    write_report(results)
    text = (results / "report.md").read_text()
    assert text.index("](figures/overview.svg)") < text.index("## mnist5k")


def test_figures_beyond_the_room_are_linked(results):
    plant(results, ["mnist5k-corner-cost.svg", "mnist5k-corner-forest.svg"])
    size = len(figures(results).shown[0].uri)
    assert [bool(one.uri) for one in figures(results, room=size).shown] == [True, False]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("<svg", "mnist5k-corner-cost.svg", r"mnist5k-corner-cost\.svg is no SVG image"),
        ("<html/>", "mnist5k-corner-cost.svg", r"is no SVG image; got 'html'"),
        ("text", "mnist5k-corner-heatmaps.png", r"heatmaps\.png is no PNG image"),
        (None, "mnist5k-corner-cost.svg", r"cost\.svg cannot be read"),
    ],
)
def test_a_broken_figure_is_named(results, content, name, words):
    plant(results, [name])
    path = results / "figures" / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(BenchmarkError, match=words):
        figures(results)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"captions\.json cannot be read"),
        ("[]", r"captions\.json; got 'list'"),
        ('{"mnist5k-corner-cost.svg": {"title": "t", "caption": "c"}}', "alt of mnist5k-corner-cost"),
    ],
)
def test_broken_captions_are_named(results, text, words):
    plant(results, ["mnist5k-corner-cost.svg"])
    (results / "figures/captions.json").write_text(text)
    with pytest.raises(BenchmarkError, match=words):
        figures(results)


def test_a_picture_is_shown_as_a_picture(results):
    import numpy as np

    plant(results, ["mnist5k-corner-heatmaps.png"])
    content = encode(np.zeros((2, 3), np.uint8))
    (results / "figures/mnist5k-corner-heatmaps.png").write_bytes(content)
    assert figures(results).shown[0].uri.startswith("data:image/png;base64,")
