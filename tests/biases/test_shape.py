import numpy as np
import pytest
from recipes import empty, made, plant, read
from skimage.measure import approximate_polygon, find_contours, label, regionprops

from benchmark.biases.shape import FORMS, draw
from benchmark.errors import BenchmarkError


def planted(code, codes=3, side=200, **settings):
    image, mask = empty(1, side, side)
    one, mark = plant(made("shape", **settings), image, mask, [code], codes)
    return one[0, :, :, 0], mark[0]


def corners(image):
    """Number of corners of the form in the picture: its outline, simplified to an error of 4 px."""
    outline = max(find_contours(np.pad(image, 2).astype(float), 127.5), key=len)  # a tip may lie apart
    return len(approximate_polygon(outline, 4)) - 1  # the first point comes twice


@pytest.mark.parametrize(
    ("code", "expected"), [(0, 3), (2, 4), (3, 3), (4, 4), (5, 8), (6, 10), (7, 3), (8, 3), (9, 8), (10, 6), (11, 10)]
)
def test_forms_have_their_corners(code, expected):
    assert corners(planted(code, 12, size=0.8)[0]) == expected


def test_the_first_three_are_the_papers_triangle_circle_and_square():
    triangle, circle, square = (planted(code, size=0.5)[0] / 255 for code in range(3))
    assert square.sum() == pytest.approx(100**2, rel=0.03)
    assert circle.sum() == pytest.approx(np.pi * 50**2, rel=0.03)
    assert triangle.sum() == pytest.approx(100 * 50 * np.sqrt(3) / 2, rel=0.03)  # equal sides of 100 px
    (round_one,) = regionprops(label(circle > 0.5))
    assert round_one.eccentricity < 0.1
    assert round_one.solidity > 0.98
    widths = (triangle > 0.5).sum(axis=1)
    assert np.diff(widths[widths > 0]).min() >= -1  # on its base, the tip on top


@pytest.mark.parametrize("code", range(len(FORMS)))
@pytest.mark.parametrize(("side", "size", "expected"), [(200, 0.2, 40), (28, 0.25, 7), (99, 0.1, 10)])
def test_a_form_fills_a_box_of_its_size_in_its_corner(code, side, size, expected):
    _, mark = planted(code, len(FORMS), side, size=size)
    rows, columns = np.nonzero(mark)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (expected, expected - 1)
    margin = round(0.04 * side)
    for end in (rows, columns):
        assert margin <= end.min() <= end.max() < margin + expected


def test_crisp_forms_are_white_or_nothing_and_soft_ones_have_grey_edges():
    crisp, mark = planted(1, size=0.3, antialias=False)
    assert set(np.unique(crisp)) == {0, 255}
    assert np.array_equal(crisp == 255, mark == 1)
    soft, mark = planted(1, size=0.3)
    assert ((soft > 0) & (soft < 255)).any()
    assert not soft[mark == 0].any()


@pytest.mark.parametrize(("grey", "strength", "expected"), [(255, 1, 255), (255, 0.5, 178), (0, 0.4, 60), (90, 1, 90)])
def test_the_inside_is_blended_towards_the_grey(grey, strength, expected):
    image, mask = empty(1, 50, 50, 3, level=100)
    one, _ = plant(made("shape", grey=grey, strength=strength), image, mask, [2], 3)
    assert one[0, 7, 7].tolist() == [expected] * 3  # the square starts at (2, 2) and is 10 px wide


def test_the_place_does_not_depend_on_the_code():
    rng = np.random.default_rng(0)
    mask = (rng.random((1, 60, 60)) < 0.02).astype(np.uint8)
    image = np.zeros((12, 60, 60, 1), np.uint8)
    bias, codes = made("shape", size=0.15, jitter=0.2), 12
    boxes = set()
    for code in (0, 2, 3, 5):  # forms that touch the left and right sides of their boxes
        _, mark = plant(bias, image[:1], mask, [code], codes)
        columns = np.flatnonzero(mark[0].any(axis=0))
        boxes.add((columns[0], columns[-1]))
    assert len(boxes) == 1


def test_a_simple_reader_tells_all_forms_apart_at_28_px():
    image, mask = empty(1200, 28, 28)
    code = np.arange(1200) % 12
    one, mark = plant(made("shape", size=0.25, jitter=0.1), image, mask, code, 12)
    forms = []
    for pixels, where in zip(one[..., 0], mark, strict=True):
        rows, columns = np.nonzero(where)
        row, column = min(rows.min(), 21), min(columns.min(), 21)
        forms.append(pixels[row : row + 7, column : column + 7].astype(float).ravel())
    assert read(np.array(forms), code, 12) >= 0.99


def test_more_codes_than_forms_are_refused():
    with pytest.raises(BenchmarkError, match="number of codes of shape; got 13; expected 12 at most"):
        planted(0, 13)


def test_forms_too_small_to_tell_apart_are_refused():
    with pytest.raises(BenchmarkError, match=r"marks \d and \d of shape look alike in 1 x 1 px. Make the shape larger"):
        planted(0, 3, 28, size=0.01)


def test_the_drawing_is_symmetric_where_the_form_is():
    for code in (0, 1, 2, 3, 4, 5, 9):
        form = draw(12, 40, True)[code]
        assert np.abs(form - form[:, ::-1]).mean() < 0.02


def test_where_nothing_is_free_the_part_on_the_background_is_painted():
    image, mask = empty(1, 28, 28)
    mask[:] = 1
    mask[0, 12:15, 20:24] = 0  # 3 x 4 px of background, a square of 6 px
    one, mark = plant(made("shape"), image, mask, [2], 3)
    assert np.array_equal(mark, 1 - mask)
    assert (one[mask == 0] == 255).all()
    assert not one[mask == 1].any()
