"""A report of any variants, from predictions to pages: tasks without ``ood`` or ``deceiving``, and other images."""

import json
import re
import shutil

import numpy as np
import pytest

from benchmark.api import SCORE_COLUMNS, VARIANTS
from benchmark.cell import Cell
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.report import write_report
from benchmark.report.load import load
from benchmark.summary import SUMMARY_COLUMNS, summarise
from benchmark.tables import write_csv

MINUS = "\N{MINUS SIGN}"
METHODS = ("erm", "isnet")
SUITES = {
    "natural": ("iid", "external"),
    "all": VARIANTS,
    "planted": ("iid", "ood", "deceiving"),
    "unmarked": ("iid", "ood"),
    "only": ("iid",),
}
GAP = {"natural": "external", "all": "deceiving", "planted": "deceiving", "unmarked": "ood", "only": ""}


def shown(variant):
    """60 images of the own hospital, 40 of another."""
    count, place = (40, "there") if variant == "external" else (60, "here")
    names = np.array([f"{place}_{row:02d}" for row in range(count)])
    return Shown(names, names, np.full(count, place), np.arange(count) % 2)


def predictions(method, variants, seeds=5):
    """Scores that know the label; those of ``erm`` only where the bias helps."""
    rng = np.random.default_rng(len(method))
    tested = {variant: shown(variant) for variant in variants}
    gain = {v: 2.0 if method == "isnet" or v == "iid" else 0.0 for v in variants}
    logits = {v: rng.normal(size=(seeds, len(t), 2)) + gain[v] * np.eye(2)[t.label] for v, t in tested.items()}
    subset = {variant: np.arange(5) for variant in variants}
    scores = {("background_relevance_mass", v): rng.random((seeds, 5)) for v in variants}
    return Predictions(np.arange(seeds), tested, logits, subset, scores)


@pytest.fixture(scope="module", params=SUITES)
def made(request, pristine, tmp_path_factory):
    """Name, variants and folder of a suite, with its report."""
    variants, folder = SUITES[request.param], tmp_path_factory.mktemp(request.param) / "results"
    cells = {Cell("lungs", "source", method): predictions(method, variants) for method in METHODS}
    scores, summary, *_ = summarise(cells, draws=50)
    write_csv(folder / "scores.csv", scores, SCORE_COLUMNS)
    write_csv(folder / "summary.csv", summary, SUMMARY_COLUMNS)
    suite = json.loads((pristine / "suite.json").read_text())
    first = suite["cells"][0]
    suite["cells"] = [first | {"dataset": "lungs", "bias": "source", "method": name, "classes": 2} for name in METHODS]
    (folder / "suite.json").write_text(json.dumps(suite))
    for method in METHODS:
        (folder / "gallery").mkdir(exist_ok=True)
        shutil.copy(pristine / f"gallery/mnist5k-corner-{method}.npz", folder / f"gallery/lungs-source-{method}.npz")
    (folder / "samples").mkdir()
    shutil.copy(pristine / "samples/mnist5k-corner.png", folder / "samples/lungs-source.png")
    write_report(folder)
    return request.param, variants, folder


def header(markdown, caption):
    """The head of the first table below a caption."""
    return re.search(rf"\*\*{caption}.*?\n\n\|(.*?)\|\n", markdown, re.DOTALL)[1]


def test_the_headline_has_a_column_for_every_variant_and_one_gap(made):
    name, variants, folder = made
    heads = re.findall(r"Accuracy: ([^|]*?) \|", header((folder / "report.md").read_text(), "lungs") + "|")
    assert heads == [*variants, *([f"iid {MINUS} {GAP[name]}"] if GAP[name] else [])]


def test_the_table_of_seeds_and_the_figure_show_the_variants_that_there_are(made):
    _, variants, folder = made
    text = (folder / "report.md").read_text()
    assert re.findall(r"Accuracy: ([^|]*?) \|", header(text, "Accuracy of every seed") + "|") == list(variants)
    figure = (folder / "figures" / "lungs-source.svg").read_text()
    drawn = re.findall(r'data-method="(\w+)" data-variant="(\w+)"', figure)
    assert drawn == [(method, variant) for method in METHODS for variant in variants]
    assert "not defined" not in figure


def test_nothing_is_said_of_a_variant_that_nobody_was_tested_on(made):
    _, variants, folder = made
    text = (folder / "report.md").read_text().split("What this does not establish")[0]
    for absent in set(VARIANTS) - set(variants):
        assert not re.search(rf"\b{absent}\b", text, re.IGNORECASE)
    page = (folder / "report.html").read_text()
    assert ("External: images from sources" in page) == ("external" in variants)


def test_the_sentences_speak_of_the_shift_that_was_tested(made):
    name, _, folder = made
    where = {
        "external": "on images from other sources",
        "deceiving": "where the bias misleads",
        "ood": "where the bias is absent",
    }
    text = (folder / "report.md").read_text()
    if GAP[name]:
        assert f"- erm loses accuracy {where[GAP[name]]}: it falls by" in text
    else:
        assert "- erm: not decided, for iid is the only variant." in text


def test_units_are_counted_for_each_set_of_images(made):
    _, variants, folder = made
    (task,) = load(folder).tasks
    assert task.tested == list(variants)
    text = (folder / "report.md").read_text()
    if "external" in variants:
        counts = ", ".join(f"{variant} {40 if variant == 'external' else 60}" for variant in variants)
        assert f"Units: {counts} (relevance: 5)" in text
        assert task.summary["erm", "external", "accuracy_gap"].n_units == 40
    else:
        assert "Units: 60 a variant (relevance: 5)" in text


def test_the_heatmaps_are_there_whatever_the_variants(made):
    page = (made[2] / "report.html").read_text()
    assert "Test image and mask outline" in page
    assert page.count("integrated gradients, digit_") == 2 * 8
