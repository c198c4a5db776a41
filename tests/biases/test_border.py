import numpy as np
import pytest
from recipes import empty, ids, made, plant

from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws


def walk(height, width):
    """All pixels of the edge, clockwise from the top left."""
    top = [(0, x) for x in range(width)]
    right = [(y, width - 1) for y in range(1, height)]
    bottom = [(height - 1, x) for x in range(width - 2, -1, -1)]
    left = [(y, 0) for y in range(height - 2, 0, -1)]
    return tuple(np.array(top + right + bottom + left).T)


def dashes(image):
    """How often it becomes bright on the way round."""
    bright = image[walk(*image.shape)] > 127
    return int((bright & ~np.roll(bright, 1)).sum())


@pytest.mark.parametrize(
    ("height", "width", "size", "thick"), [(50, 80, 0.1, 5), (28, 28, 0.08, 2), (30, 30, 0.001, 1)]
)
def test_the_frame_is_as_wide_as_the_size_says(height, width, size, thick):
    image, mask = empty(1, height, width)
    _, mark = plant(made("border", size=size), image, mask, [0], 2)
    expected = np.ones((height, width))
    expected[thick:-thick, thick:-thick] = 0
    assert np.array_equal(mark[0], expected)


def test_colours_are_hues_or_grey_levels():
    image, mask = empty(4, 28, 28, 3, level=100)
    one, _ = plant(made("border", strength=0.5), image, mask, np.arange(4), 4)
    # red, yellow-green, cyan, violet; half-way from 100: (100 + 255) / 2 = 177.5, to the even; 127.5 gives 113.75
    assert one[:, 0, 0].tolist() == [[178, 50, 50], [114, 178, 50], [50, 178, 178], [114, 50, 178]]
    one, _ = plant(made("border"), image[..., :1], mask, np.arange(4), 4)
    assert one[:, 0, 0, 0].tolist() == [51, 102, 153, 204]
    assert (one[:, 14, 14] == 100).all()


def test_jitter_moves_the_frame_inwards():
    image, mask = empty(400, 50, 60)
    _, mark = plant(made("border", size=0.1, jitter=0.2), image, mask, np.zeros(400), 2)
    inset = mark[:, 25].argmax(axis=1)
    assert set(inset) == set(range(11))  # a fifth of 50 px
    for one, at in zip(mark, inset, strict=True):
        expected = np.zeros((50, 60))
        expected[at : 50 - at, at : 60 - at] = 1
        expected[at + 5 : 45 - at, at + 5 : 55 - at] = 0
        assert np.array_equal(one, expected)


@pytest.mark.parametrize(("height", "width", "codes"), [(28, 28, 2), (28, 28, 10), (40, 64, 5), (224, 224, 20)])
def test_dashes_are_as_many_as_the_code_says_wherever_they_start(height, width, codes):
    image, mask = empty(3 * codes, height, width)
    code = np.arange(3 * codes) % codes
    one, mark = plant(made("border", tells="dashes"), image, mask, code, codes)
    counted = np.array([dashes(each[..., 0]) for each in one]).reshape(3, codes)
    assert (counted == counted[0]).all()
    assert counted[0, 0] == 2
    assert counted[0, -1] == (height + width - 2) // 2
    assert (np.diff(counted[0]) > 0).all()
    assert np.array_equal(mark.astype(bool).any(axis=0), mark[0].astype(bool))  # the gaps belong to the mark
    assert (one[0] != one[codes]).any()  # they start elsewhere


def test_dashes_and_gaps_are_equally_long():
    image, mask = empty(200, 60, 60)
    one, _ = plant(made("border", tells="dashes", size=0.01), image, mask, np.zeros(200), 3)
    assert one[:, 0].mean() == pytest.approx(127.5, abs=15)
    bright = np.array([each[walk(60, 60)][..., 0] == 255 for each in one]).mean(axis=1)
    assert bright == pytest.approx(0.5, abs=0.02)


def test_more_codes_than_numbers_of_dashes_are_refused():
    image, mask = empty(26, 28, 28)
    one, _ = plant(made("border", tells="dashes"), image, mask, np.arange(26), 26)
    assert [dashes(each[..., 0]) for each in one] == list(range(2, 28))
    with pytest.raises(BenchmarkError, match="border with dashes; got 27; expected 26 at most"):
        plant(made("border", tells="dashes"), image[:1], mask[:1], [0], 27)


def test_a_frame_that_meets_its_other_side_is_refused():
    image, mask = empty(1, 28, 28)
    with pytest.raises(BenchmarkError, match=r"size \+ jitter of the border; got 0.5; expected less than 0.5"):
        plant(made("border", size=0.25, jitter=0.25), image, mask, [0], 2)


def test_a_frame_hidden_by_the_foreground_is_refused():
    image, mask = empty(2, 28, 28)
    mask[1] = 1
    mask[1, 10:20, 10:20] = 0  # background, but not at the edge
    with pytest.raises(BenchmarkError, match="image number 1 has no background where mark 1 belongs"):
        plant(made("border"), image, mask, [0, 1], 2, Draws(0, ids(2)))
