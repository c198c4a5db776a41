import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare

from benchmark.biases.corner import Corner
from benchmark.errors import BenchmarkError
from benchmark.seeding import Draws

GEOMETRIES = [(28, 28, 2, 10), (17, 17, 1, 10), (12, 9, 1, 7), (9, 20, 2, 5), (8, 8, 2, 6), (6, 5, 1, 3), (4, 4, 2, 2)]


def corner(size_px, side, strength=1.0, jitter=0.0):
    """A mark of so many pixels on images whose shorter side has so many."""
    return Corner(Corner.Settings(size=min(size_px / side, 0.5), strength=strength, jitter=jitter))


def draws(count, seed=0):
    return Draws(seed, np.array([f"image_{row}" for row in range(count)], dtype=np.str_))


def marks(bias, mask, code, codes, seed=0):
    return bias.marks(mask, code, codes, draws(len(mask), seed))


def walk(height, width, size):
    """Top-left corners of the squares along the border, found by walking round it clockwise, one pixel a step."""
    at, found = (0, 0), []
    for step, end in [((0, 1), width), ((1, 0), height), ((0, -1), width), ((-1, 0), height)]:
        for _ in range(end - size):
            found.append(at)
            at = at[0] + step[0], at[1] + step[1]
    assert at == (0, 0)
    return found


def home(code, codes, places):
    return round(code * len(places) / codes)


def reach(code, codes, places):
    """Numbers of the places less than half-way to the neighbours; what two could share is the clockwise one's."""
    at, around = home(code, codes, places), len(places)
    clockwise = {(at + step) % around for step in range(around) if 2 * step < around / codes}
    back = {(at - step) % around for step in range(around) if 2 * step < around // codes}
    return clockwise | back


def place_of(mark):
    return tuple(np.argwhere(mark).min(axis=0).tolist())


@st.composite
def plantings(draw):
    """Images, masks, codes, their number, size and strength, such that the marks fit."""
    height, width, size = draw(st.integers(4, 12)), draw(st.integers(4, 12)), draw(st.integers(1, 2))
    codes = draw(st.integers(1, (height + width - 2 * size) // size))
    count = draw(st.integers(1, 4))
    image = draw(arrays(np.uint8, (count, height, width, draw(st.sampled_from([1, 3])))))
    mask = draw(arrays(np.uint8, (count, height, width), elements=st.integers(0, 1)))
    code = np.array(draw(st.lists(st.integers(0, codes - 1), min_size=count, max_size=count)))
    strength, jitter = draw(st.sampled_from([0.0, 0.3, 1.0])), draw(st.sampled_from([0.0, 0.5, 1.0]))
    return image, mask, code, codes, size, corner(size, min(height, width), strength, jitter)


@settings(deadline=None)
@given(plantings())
def test_the_mark_is_small_in_the_background_and_all_that_changes(planting):
    image, mask, code, codes, size, bias = planting
    count, height, width = mask.shape
    image_before, mask_before, code_before = image.copy(), mask.copy(), code.copy()
    try:
        planted, mark = bias.plant(image, mask, code, codes, draws(count))
    except BenchmarkError:
        assume(False)
    assert np.array_equal(image, image_before)
    assert np.array_equal(mask, mask_before)
    assert np.array_equal(code, code_before)
    assert (mark.shape, mark.dtype, planted.shape, planted.dtype) == (mask.shape, np.uint8, image.shape, np.uint8)
    assert set(np.unique(mark)) <= {0, 1}
    assert not (mark & mask).any()
    assert np.array_equal(planted[mark == 0], image[mark == 0])
    assert (planted[mark == 1] >= image[mark == 1]).all()
    for one in mark:
        spots = np.argwhere(one)
        assert 1 <= len(spots) <= size**2
        assert (np.ptp(spots, axis=0) < size).all()
        top, left = spots.min(axis=0)
        bottom, right = spots.max(axis=0)
        assert top < size or bottom >= height - size or left < size or right >= width - size
    again = bias.plant(image, mask, code, codes, draws(count))
    assert np.array_equal(again[0], planted)
    assert np.array_equal(again[1], mark)


@settings(deadline=None)
@given(plantings())
def test_the_mark_is_whole_whenever_a_free_place_is_in_reach(planting):
    _, mask, code, codes, size, bias = planting
    _, height, width = mask.shape
    places = walk(height, width, size)
    free = [[not one[y : y + size, x : x + size].any() for y, x in places] for one in mask]
    for one, k, is_free, marked in zip(mask, code, free, marks(bias, mask, code, codes), strict=True):
        at = home(k, codes, places)
        if any(is_free[p] for p in reach(k, codes, places)):
            assert marked.sum() == size**2
        else:  # what is left of its own place, or of where it was drawn
            near = [at % len(places)] if bias.settings.jitter == 0 else reach(k, codes, places)
            windows = np.zeros((len(near), *one.shape), bool)
            for window, (y, x) in zip(windows, (places[p] for p in near), strict=True):
                window[y : y + size, x : x + size] = True
            assert any(np.array_equal(marked, window & (one == 0)) for window in windows)


@pytest.mark.parametrize(("height", "width", "size", "codes"), GEOMETRIES)
def test_on_an_empty_mask_every_mark_is_at_home_and_meets_no_other(height, width, size, codes):
    empty = np.zeros((codes, height, width), np.uint8)
    mark = marks(corner(size, min(height, width)), empty, np.arange(codes), codes)
    places = walk(height, width, size)
    assert [place_of(one) for one in mark] == [places[home(k, codes, places)] for k in range(codes)]
    assert mark.sum(axis=0).max() == 1
    assert (mark.sum(axis=(1, 2)) == size**2).all()


@pytest.mark.parametrize(("height", "width", "size", "codes"), GEOMETRIES)
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_whatever_the_mask_no_place_belongs_to_two_codes_and_none_is_far_from_home(height, width, size, codes, jitter):
    # one image a place, in which that place alone is free
    places = walk(height, width, size)
    mask = np.ones((len(places), height, width), np.uint8)
    for one, (y, x) in zip(mask, places, strict=True):
        one[y : y + size, x : x + size] = 0
    taken = np.zeros((codes, len(places)), bool)
    for k in range(codes):
        bias = corner(size, min(height, width), jitter=jitter)
        taken[k] = marks(bias, mask, np.full(len(places), k), codes).sum(axis=(1, 2)) == size**2
    assert taken.sum(axis=0).max() == 1
    for k in range(codes):
        assert set(np.flatnonzero(taken[k]).tolist()) == reach(k, codes, places)


def test_the_nearest_free_place_is_taken_clockwise_first():
    mask = np.zeros((4, 12, 12), np.uint8)
    mask[1, 0, 0] = 1  # home of mark 0: one step on
    mask[2, 0, :2] = 1  # and the next: one step back
    mask[3, :2, 0] = mask[3, 0, 1] = 1  # and that one too: two steps on
    mark = marks(corner(1, 12), mask, np.zeros(4, int), 4)
    assert [place_of(one) for one in mark] == [(0, 0), (0, 1), (1, 0), (0, 2)]


def test_four_marks_are_the_four_corners():
    mark = marks(corner(2, 10), np.zeros((4, 10, 10), np.uint8), np.arange(4), 4)
    assert [place_of(one) for one in mark] == [(0, 0), (0, 8), (8, 8), (8, 0)]


def test_the_background_part_of_a_place_that_is_not_free():
    mask = np.ones((1, 8, 8), np.uint8)
    mask[0, 0, 1] = 0
    _, mark = corner(2, 8).plant(np.zeros((1, 8, 8, 1), np.uint8), mask, np.array([0]), 4, draws(1))
    assert np.argwhere(mark[0]).tolist() == [[0, 1]]


@settings(deadline=None)
@given(arrays(np.uint8, (2, 6, 6, 1)))
@example(np.full((2, 6, 6, 1), 255, np.uint8))
def test_strength_0_leaves_the_image_alone_and_still_tells_the_place(image):
    empty = np.zeros((2, 6, 6), np.uint8)
    planted, mark = corner(2, 6, 0.0).plant(image, empty, np.array([0, 1]), 2, draws(2))
    assert np.array_equal(planted, image)
    assert mark.sum(axis=(1, 2)).tolist() == [4, 4]


@pytest.mark.parametrize(
    ("strength", "before", "after"),
    [(1.0, 0, 255), (1.0, 200, 255), (0.5, 101, 178), (0.2, 55, 95), (0.01, 0, 3), (0.7, 255, 255)],
)
def test_strength_blends_towards_white(strength, before, after):
    image = np.full((1, 6, 6, 1), before, np.uint8)
    empty = np.zeros((1, 6, 6), np.uint8)
    planted, mark = corner(2, 6, strength).plant(image, empty, np.array([0]), 2, draws(1))
    assert (planted[mark == 1] == after).all()


def test_a_place_in_the_foreground_is_refused():
    mask = np.zeros((3, 8, 8), np.uint8)
    mask[2] = 1
    mask[2, 4, 4] = 0  # the background is out of the mark's reach
    with pytest.raises(BenchmarkError, match=r"image number 2 has no background where mark 1 belongs.*\(size\)"):
        corner(2, 8).plant(np.zeros((3, 8, 8, 1), np.uint8), mask, np.array([0, 1, 1]), 4, draws(3))


@pytest.mark.parametrize(
    ("height", "width", "size", "codes"), [(28, 28, 2, 27), (8, 8, 2, 7), (3, 9, 2, 1), (9, 3, 2, 1), (1, 1, 1, 1)]
)
def test_too_many_marks_are_refused(height, width, size, codes):
    mask = np.zeros((1, height, width), np.uint8)
    told = rf"{codes} marks of {size} px do not fit round an image of {height} x {width} px.*\(size\)"
    with pytest.raises(BenchmarkError, match=told):
        corner(size, min(height, width)).plant(mask[..., None], mask, np.array([0]), codes, draws(1))


def test_as_many_marks_as_fit_are_planted():
    mark = marks(corner(2, 28), np.zeros((26, 28, 28), np.uint8), np.arange(26), 26)
    assert mark.sum(axis=0).max() == 1
    assert mark.sum() == 26 * 4


@pytest.mark.parametrize(
    "bad", [{"size": 0}, {"size": 0.51}, {"jitter": 1.1}, {"jitter": -0.1}, {"strength": 1.1}, {"size_px": 2}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Corner.Settings(**bad)


# --- size and jitter --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "pixels"), [(28, 28, 2), (224, 224, 16), (64, 100, 4), (100, 64, 4), (6, 6, 1)]
)
def test_the_size_is_a_share_of_the_shorter_side(height, width, pixels):
    mark = marks(Corner(Corner.Settings(size=0.07)), np.zeros((1, height, width), np.uint8), np.array([0]), 4)
    assert mark[0, :pixels, :pixels].all()
    assert mark.sum() == pixels**2


def numbers_of(mark, places):
    """Which place each mark took."""
    at = {place: number for number, place in enumerate(places)}
    return np.array([at[place_of(one)] for one in mark])


@pytest.mark.parametrize("jitter", [0.0, 0.3, 1.0])
def test_the_jitter_is_the_largest_shift_along_the_border(jitter):
    places, codes, count = walk(28, 28, 2), 4, 600
    empty = np.zeros((count, 28, 28), np.uint8)
    mark = marks(corner(2, 28, jitter=jitter), empty, np.full(count, 1), codes)
    shift = numbers_of(mark, places) - home(1, codes, places)
    half = len(places) / codes / 2  # 13: to 12 steps each way without meeting a neighbour
    most = round(jitter * (int(np.ceil(half)) - 1))
    assert (shift.min(), shift.max()) == (-most, most)
    if jitter:
        counts = np.bincount(shift + most)[1:-1]  # the two ends stand for half a step
        assert chisquare(counts).pvalue > 0.001


def test_the_shift_is_the_images_own_and_the_same_under_every_code():
    places, codes = walk(28, 28, 2), 4
    empty = np.zeros((50, 28, 28), np.uint8)
    shifts = [
        (
            numbers_of(marks(corner(2, 28, jitter=1.0), empty, np.full(50, k), codes), places)
            - home(k, codes, places)
            + 52
        )
        % 104
        for k in range(codes)
    ]
    assert len(set(shifts[0].tolist())) > 10
    for other in shifts[1:]:
        assert np.array_equal(other, shifts[0])
    bias, order = corner(2, 28, jitter=1.0), np.arange(50)[::-1]
    forward = bias.marks(empty, np.full(50, 0), codes, draws(50))
    backward = bias.marks(empty, np.full(50, 0), codes, draws(50).take(order))
    assert np.array_equal(forward[order], backward)
