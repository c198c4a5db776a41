"""Colours and shapes: measured for readers who see all colours and for those who do not."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab

from benchmark.figures.plan import clip, counts, ends, estimate, left_out
from benchmark.figures.style import COLOURS, INK, PAPER, SHAPES, VARIANT_COLOURS, drawing, looks, paper
from benchmark.files import read_json
from benchmark.registry import METHODS

CONFUSIONS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
"""On linear RGB, full severity: Machado, Oliveira and Fernandes, IEEE TVCG 2009, table 1."""


def linear(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return linear(colour) @ (0.2126, 0.7152, 0.0722)


def seen(colour, matrix):
    rgb = np.clip(np.array(matrix) @ linear(colour), 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


def apart(one, other, matrix):
    lab = [rgb2lab(seen(colour, matrix)[None, None])[0, 0] for colour in (one, other)]
    return float(np.linalg.norm(lab[0] - lab[1]))


@pytest.mark.parametrize("colour", [INK, *COLOURS, *VARIANT_COLOURS.values()])
def test_colours_stand_out_on_paper(colour):
    assert (luminance(PAPER) + 0.05) / (luminance(colour) + 0.05) >= 3  # WCAG 2.1, 1.4.11


@pytest.mark.parametrize("matrix", [np.eye(3), *CONFUSIONS.values()], ids=["all", *CONFUSIONS])
def test_no_two_colours_look_alike(matrix):
    for one, other in itertools.combinations((INK, *COLOURS), 2):
        assert apart(one, other, matrix) > 15, (one, other)


@pytest.mark.parametrize("matrix", CONFUSIONS.values(), ids=CONFUSIONS)
def test_iid_and_the_shift_look_different(matrix):
    assert apart(VARIANT_COLOURS["iid"], VARIANT_COLOURS["deceiving"], matrix) > 40


def test_no_two_methods_have_the_same_look():
    names = [*METHODS, *(f"plugin_{i}" for i in range(20))]
    found = looks(names)
    assert len({(look.colour, look.shape) for look in found.values()}) == len(names)
    assert math.gcd(len(COLOURS), len(SHAPES)) == 1


def test_methods_of_the_default_suite_have_a_colour_each():
    suite = read_json(Path(__file__).parents[2] / "results" / "default" / "suite.json")
    names = {cell["method"] for cell in suite["cells"]}
    assert len(names) == 11
    assert len({look.colour for look in looks(sorted(names)).values()}) == 11


def test_a_registered_method_looks_the_same_in_every_suite():
    some, others = looks(["erm", "isnet", "rrr", "my_own"]), looks(["rrr", "vit", "isnet"])
    assert some["isnet"] == others["isnet"] and some["rrr"] == others["rrr"]
    assert (some["erm"].colour, some["erm"].shape) == (INK, "o")


def test_paper_covers_the_figure():
    with drawing("x"):
        figure = paper(3, 2)
    ground = next(artist for artist in figure.artists if artist.get_label() == "paper")
    box = ground.get_window_extent()
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((0, 0, 216, 144))


def test_words_of_counts():
    from benchmark.report.records import Summary

    def row(units, seeds):
        return Summary(units, seeds, *[None] * 7)

    assert counts([row(99, 3), None, row(100, 3)]) == "99 to 100 units, 3 seeds"
    assert counts([row(1, 1)]) == "1 unit, 1 seed"
    assert counts([]) == "units not counted, seeds not counted"
    assert ends([5], "images") == "5 images"


def test_words_of_numbers():
    assert estimate(0.5, 0.4, 0.6, signed=True) == "+0.500 [+0.400, +0.600]"
    assert estimate(-0.0001, -0.2, None, signed=True) == "0.000 [no interval]"
    assert estimate(-0.25, -0.5, 0.0, signed=True) == "\u22120.250 [\u22120.500, 0.000]"
    assert left_out({"a": "no value", "b": "no cost", "c": "no value"}) == " Left out: a, c (no value); b (no cost)."
    assert left_out({}) == ""
    assert clip("one two three", 8) == "one two\nthree"
