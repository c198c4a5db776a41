from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from recipes import empty, made, plant

from benchmark.biases.lettering import texts_of, write
from benchmark.errors import BenchmarkError

FONT = FontProperties(fname=Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")


def box(mark):
    rows, columns = np.nonzero(mark)
    return rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1


@pytest.mark.parametrize("text", ["L", "R", "SH", "MC", "PORTABLE", "12:30"])
@pytest.mark.parametrize("height", [10, 40, 100])
def test_letters_have_the_size_that_the_fonts_outlines_have(text, height):
    outline = TextPath((0, 0), text, size=height / 0.729, prop=FONT).get_extents()
    _, _, tall, wide = box(write((text,), height)[0] > 0.5)
    assert tall == pytest.approx(outline.height, abs=2)
    assert wide == pytest.approx(outline.width, abs=1 + 0.6 * len(text), rel=0.03)  # letters stand on whole pixels


def test_a_capital_is_as_high_as_the_size_says():
    image, mask = empty(1, 200, 300)
    _, mark = plant(made("stamp", size=0.2, texts=["H"]), image, mask, [0], 1)
    assert box(mark[0])[2] == pytest.approx(40, abs=1)


def test_each_code_writes_its_text():
    image, mask = empty(2, 100, 100)
    one, _ = plant(made("stamp", texts=["SH", "MC"], size=0.3), image, mask, [0, 1], 2)
    letters = write(("SH", "MC"), 30)
    _, height, width = letters.shape
    for k in range(2):
        part = one[k, 4 : 4 + height, 4 : 4 + width, 0]
        assert np.array_equal(part, np.rint(255 * letters[k]))
        assert one[k].sum() == part.sum()


def test_letters_come_first_left_and_right_then_pairs():
    texts = texts_of(702, (), "stamp")
    assert texts[:5] == ("L", "R", "A", "B", "C")
    assert texts[26:28] == ("LL", "LR")
    assert len(set(texts)) == 702


@pytest.mark.parametrize(
    ("corner", "edges"),
    [("top_left", (8, 8)), ("top_right", (8, -8)), ("bottom_left", (-8, 8)), ("bottom_right", (-8, -8))],
)
def test_every_text_keeps_to_its_corner(corner, edges):
    image, mask = empty(2, 200, 200)
    _, mark = plant(made("stamp", corner=corner, texts=["I", "WWW"], size=0.1), image, mask, [0, 1], 2)
    for one in mark:
        row, column, tall, wide = box(one)
        assert (row if edges[0] > 0 else row + tall - 200) == edges[0]
        assert (column if edges[1] > 0 else column + wide - 200) == edges[1]


@settings(deadline=None, max_examples=20)
@given(st.integers(20, 60), st.integers(2, 26))
def test_no_two_letters_look_alike(height, codes):
    letters = write(texts_of(codes, (), "stamp"), height)
    for k in range(codes - 1):
        assert (np.abs(letters[k + 1 :] - letters[k]).sum(axis=(1, 2)) > 0.05 * letters[k].sum()).all()


def test_a_simple_reader_tells_ten_letters_apart_at_28_px_in_front_of_noise():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 120, (500, 28, 28, 1), dtype=np.uint8)
    mask = np.zeros((500, 28, 28), np.uint8)
    code = np.arange(500) % 10
    one, _ = plant(made("stamp"), image, mask, code, 10)
    letters = write(texts_of(10, (), "stamp"), 6)
    part = one[:, 1 : 1 + letters.shape[1], 1 : 1 + letters.shape[2], 0] / 255.0
    far = ((part[:, None] - letters) ** 2).sum(axis=(2, 3))
    assert (far.argmin(axis=1) == code).mean() >= 0.99


def test_more_codes_than_texts_are_refused():
    image, mask = empty(1, 50, 50)
    with pytest.raises(BenchmarkError, match=r"number of codes of stamp; got 3; expected 2 at most\. Name more texts"):
        plant(made("stamp", texts=["SH", "MC"]), image, mask, [0], 3)
    with pytest.raises(BenchmarkError, match="got 703; expected 702 at most"):
        plant(made("stamp"), image, mask, [0], 703)


def test_equal_texts_are_refused():
    image, mask = empty(1, 50, 50)
    with pytest.raises(BenchmarkError, match="marks 0 and 2 of letters look alike"):
        plant(made("stamp", texts=["SH", "MC", "SH"]), image, mask, [0], 3)


def test_a_text_wider_than_the_image_is_refused():
    image, mask = empty(1, 28, 28)
    with pytest.raises(
        BenchmarkError, match=r"does not fit into an image of 28 x 28 px. Make the mark smaller \(size\)"
    ):
        plant(made("stamp", texts=["PORTABLE"]), image, mask, [0], 1)


@pytest.mark.parametrize("text", ["", " ", " L", "L ", "ü", "a\nb", "M" * 13])
def test_texts_that_are_no_short_line_of_plain_letters_are_refused(text):
    with pytest.raises(ValueError, match="texts"):
        made("stamp", texts=[text])
