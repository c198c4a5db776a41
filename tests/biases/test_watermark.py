import numpy as np
import pytest
from PIL import Image
from recipes import empty, made, plant

from benchmark.errors import BenchmarkError


def planted(code=0, codes=2, side=120, level=100, **settings):
    image, mask = empty(1, side, side, 1, level)
    one, mark = plant(made("watermark", **settings), image, mask, [code], codes)
    return one[0, ..., 0].astype(float), mark[0].astype(bool)


@pytest.mark.parametrize(("strength", "expected"), [(1.0, 255), (0.2, 131), (0.5, 178)])
def test_the_strength_is_the_opacity(strength, expected):
    image, mark = planted(strength=strength)
    assert image.max() == expected  # 100 and so much of the way to 255
    assert (image[~mark] == 100).all()


def test_dark_letters_for_bright_images():
    image, _ = planted(level=250, grey=0, strength=0.4)
    assert image.min() == 150


def test_the_text_is_repeated_in_slanted_rows():
    _, mark = planted(codes=1, side=400, size=0.05, texts=["HHH"])
    upright = np.asarray(Image.fromarray(mark).rotate(-20))[100:300, 100:300]  # the text climbs at 20 degrees
    written = upright.any(axis=1)
    begin = np.flatnonzero(written[1:] & ~written[:-1])
    end = np.flatnonzero(~written[1:] & written[:-1])
    assert np.diff(begin) == pytest.approx(40, abs=2)  # a letter of 20 px, and as much between rows
    assert end[end > begin[0]][0] - begin[0] == pytest.approx(20, abs=3)
    assert np.asarray(Image.fromarray(mark).rotate(20))[100:300, 100:300].any(axis=1).all()


def test_jitter_displaces_the_whole_pattern():
    image, mask = empty(30, 60, 60)
    still, _ = plant(made("watermark"), image, mask, np.zeros(30), 2)
    assert (still == still[0]).all()
    moved, _ = plant(made("watermark", jitter=0.1), image, mask, np.zeros(30), 2)
    assert len(np.unique(moved.reshape(30, -1), axis=0)) > 20
    for one in moved[1:, ..., 0]:  # 6 px each way: two images differ by 12 px at most
        fits = [
            np.array_equal(moved[0, 12:48, 12:48, 0], one[12 + y : 48 + y, 12 + x : 48 + x])
            for y in range(-12, 13)
            for x in range(-12, 13)
        ]
        assert any(fits)


@pytest.mark.parametrize("side", [28, 64])
def test_a_simple_reader_tells_ten_letters_apart(side):
    image, mask = empty(300, side, side)
    code = np.arange(300) % 10
    one, _ = plant(made("watermark", size=0.25), image, mask, code, 10)
    clean = one[:10].astype(float)
    noisy = one[10:] + np.random.default_rng(0).normal(0, 60, one[10:].shape)
    far = ((noisy[:, None] - clean) ** 2).sum(axis=(2, 3, 4))
    assert (far.argmin(axis=1) == code[10:]).mean() >= 0.99


def test_texts_that_do_not_tell_the_codes_apart_are_refused():
    with pytest.raises(BenchmarkError, match=r"number of codes of watermark; got 3; expected 2 at most"):
        planted(codes=3, texts=["A", "B"])
    with pytest.raises(BenchmarkError, match=r"marks 0 and 1 of letters look alike"):
        planted(texts=["A", "A"])
