"""Labels keep out of each other's way, and of the marks."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from scipy.optimize import minimize

from benchmark.figures.labels import LEAD, MARK, SLANT, lead, near, place, spread, text_size

ROOM = (0.0, 0.0, 360.0, 300.0)


def overlap(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))


def clashes(boxes):
    return sum(overlap(one, other) > 0 for one, other in itertools.combinations(boxes, 2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=30), st.floats(0.001, 0.1))
def test_spread_keeps_order_gap_and_bounds(values, gap):
    values = np.array(values)
    places = spread(values, gap, 0, 1)
    assert places.min() >= -1e-12 and places.max() <= 1 + 1e-12
    ordered = places[np.argsort(values, kind="stable")]
    real = min(gap, 1 / max(len(values) - 1, 1))
    assert (np.diff(ordered) >= real - 1e-9).all()


def test_spread_leaves_alone_what_has_room():
    values = np.array([0.9, 0.1, 0.5])
    np.testing.assert_array_equal(spread(values, 0.2, 0, 1), values)


def test_spread_moves_least():
    values, gap = np.array([0.5, 0.51, 0.52, 0.9, 0.02]), 0.06
    order = np.argsort(values)
    constraints = [{"type": "ineq", "fun": lambda z, a=a, b=b: z[b] - z[a] - gap} for a, b in itertools.pairwise(order)]
    best = minimize(
        lambda z: ((z - values) ** 2).sum(), values, bounds=[(0, 1)] * 5, constraints=constraints, tol=1e-12
    )
    np.testing.assert_allclose(spread(values, gap, 0, 1), best.x, atol=1e-5)


def test_labels_of_a_crowd_do_not_touch():
    rng = np.random.default_rng(0)
    marks = np.concatenate([rng.uniform((250, 10), (340, 60), (14, 2)), rng.uniform((20, 250), (120, 280), (12, 2))])
    sizes = np.array([(30 + 4 * (i % 9), 9) for i in range(26)], float)
    boxes = place(marks, sizes, ROOM)
    assert clashes(boxes) == 0
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], sizes)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= ROOM[2:]).all()
    covered = sum(
        overlap(box, (*(mark - MARK), *(mark + MARK))) > 0
        for i, box in enumerate(boxes)
        for j, mark in enumerate(marks)
        if i != j
    )
    assert covered == 0


def test_a_label_alone_stands_beside_its_mark():
    box = place(np.array([[100.0, 100.0]]), np.array([[40.0, 9.0]]), ROOM)[0]
    assert 0 < np.hypot(*(near(np.array([100.0, 100.0]), box) - 100)) < 8


def test_a_label_keeps_off_a_bar():
    mark, size = np.array([[100.0, 100.0]]), np.array([[40.0, 9.0]])
    free = place(mark, size, ROOM)[0]
    bar = np.array([[free[0], free[1] - 20, free[2], free[3] + 20]])
    assert overlap(place(mark, size, ROOM, bar)[0], bar[0]) == 0


def test_no_leader_runs_along_an_axis_as_an_interval_does():
    rng = np.random.default_rng(1)
    marks = np.concatenate([rng.uniform((2, 260), (40, 296), (5, 2)), rng.uniform((20, 5), (340, 60), (12, 2))])
    led = 0
    for mark, box in zip(marks, place(marks, np.full((17, 2), (60.0, 9.0)), ROOM), strict=True):
        if np.hypot(*(near(mark, box) - mark)) > LEAD:
            x, y = np.abs(lead(mark, box[None])[0][0] - mark)
            assert SLANT <= np.degrees(np.arctan2(y, x)) <= 90 - SLANT
            led += 1
    assert led > 2


def test_a_leader_ends_on_the_border_of_its_label():
    ends, oblique = lead(np.zeros(2), np.array([[-20.0, 20, 20, 30], [40, -4, 80, 5]]))
    assert oblique.tolist() == [True, False]  # straight above it can go aside, far to the right it cannot
    assert ends[0, 1] == 20 and 20 * np.tan(np.radians(20)) <= abs(ends[0, 0]) <= 20
    assert ends[1, 0] >= 40


def test_equal_marks_give_equal_places():
    marks, sizes = np.full((5, 2), 150.0), np.full((5, 2), (30.0, 9.0))
    first = place(marks, sizes, ROOM)
    np.testing.assert_array_equal(first, place(marks, sizes, ROOM))
    assert clashes(first) == 0


@pytest.mark.parametrize("text", ["erm", "isnet_softmax_gradinput"])
def test_text_is_measured_as_it_is_drawn(text):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=720)
    FigureCanvasAgg(figure)
    drawn = figure.text(0, 0, text, fontsize=8, fontproperties=FontProperties(family="DejaVu Sans", size=8))
    width = drawn.get_window_extent(figure.canvas.get_renderer()).width / 10
    assert text_size(text, 8)[0] == pytest.approx(width, abs=2.5)
    assert text_size(text, 8)[0] >= width - 0.5
