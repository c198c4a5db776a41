import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.errors import BenchmarkError
from benchmark.stats.ranks import Ranking, compare_ranks, critical_difference, draw_ranks

NAMES = ["erm", "isnet", "rrr", "vit"]
VALUES = np.array(
    [
        [0.73, 1.05, 1.05, 0.75],
        [1.11, 0.68, 0.82, 1.13],
        [1.27, 0.33, 0.50, 0.70],
        [0.35, 0.21, 1.02, 1.34],
        [0.41, 0.60, 0.58, 1.09],
        [0.96, 0.31, 1.06, 0.97],
        [0.93, 0.64, 0.28, 0.56],
    ]
)
"""Seven data sets, one tie; made once, so that scikit-posthocs' answers below belong to them."""
SVG = "{http://www.w3.org/2000/svg}"


def ranking(ranks, critical, names=None):
    names = tuple(names or (f"m{i}" for i in range(len(ranks))))
    return Ranking(names, np.array(ranks, float), 10, 9.0, 0.01, np.eye(len(ranks)), critical, 0.05)


def test_critical_differences_are_those_of_demsar():
    """JMLR 7, 2006: four methods on 14 data sets, CD = 1.25 at .05 and 1.12 at .10; q of his table 5."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)
    for methods, q05, q10 in [(2, 1.960, 1.645), (3, 2.343, 2.052), (5, 2.728, 2.459), (10, 3.164, 2.920)]:
        error = np.sqrt(methods * (methods + 1) / 60)
        assert critical_difference(methods, 10) / error == pytest.approx(q05, abs=1.1e-3)
        assert critical_difference(methods, 10, 0.10) / error == pytest.approx(q10, abs=1.1e-3)


def test_demsars_four_trees_differ_at_ten_percent_and_not_at_five():
    ranks = [3.143, 2.000, 2.893, 1.964]  # C4.5, +m, +cf, +m+cf
    assert ranking(ranks, critical_difference(4, 14)).groups() == [("m3", "m1", "m2", "m0")]
    assert ranking(ranks, critical_difference(4, 14, 0.10)).groups() == [("m3", "m1", "m2"), ("m2", "m0")]


def test_p_values_are_those_of_scikit_posthocs_and_scipy():
    """scikit-posthocs 0.17.1, posthoc_nemenyi_friedman."""
    got = compare_ranks(VALUES, NAMES)
    expected = [
        [1.0, 0.8873190022, 0.9996032601, 0.7288047597],
        [0.8873190022, 1.0, 0.8411714097, 0.2929872308],
        [0.9996032601, 0.8411714097, 1.0, 0.7878820731],
        [0.7288047597, 0.2929872308, 0.7878820731, 1.0],
    ]
    np.testing.assert_allclose(got.pairwise, expected, atol=1e-8)
    assert (got.chi2, got.p) == (pytest.approx(3.1739130434782656), pytest.approx(0.3655806066315078))
    assert got.datasets == 7


def test_ranks_by_hand_start_with_the_best_and_share_ties():
    got = compare_ranks(VALUES, NAMES)
    # erm: 4 2 1 3 4 3 1; isnet: 1.5 4 4 4 2 4 2
    np.testing.assert_allclose(got.ranks[:2], [18 / 7, 21.5 / 7])
    assert got.ranks.sum() == pytest.approx(10)
    turned = compare_ranks(VALUES, NAMES, higher_is_better=False)
    np.testing.assert_allclose(turned.ranks, 5 - got.ranks)
    np.testing.assert_allclose(compare_ranks(-VALUES, NAMES, higher_is_better=False).ranks, got.ranks)


def test_nothing_but_the_order_on_each_data_set_counts():
    scaled = np.exp(VALUES * np.arange(1, 8)[:, None]) + 3
    got, same = compare_ranks(VALUES, NAMES), compare_ranks(scaled[::-1], NAMES)
    np.testing.assert_allclose(got.ranks, same.ranks)
    assert got.p == pytest.approx(same.p)


def test_pairs_apart_by_the_critical_difference_are_those_with_small_p():
    rng = np.random.default_rng(0)
    got = compare_ranks(rng.normal(size=(12, 6)) + np.arange(6) * 0.5, [f"m{i}" for i in range(6)])
    apart = np.abs(got.ranks[:, None] - got.ranks) >= got.critical
    np.testing.assert_array_equal(apart, got.pairwise <= 0.05)
    assert apart.any() and not apart[~np.eye(6, dtype=bool)].all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(10, 60), min_size=3, max_size=8, unique=True), st.integers(1, 40))
def test_groups_hold_every_pair_that_cannot_be_told_apart_and_no_other(tenths, critical):
    ranks, width = [t / 10 for t in tenths], critical / 10 + 0.05
    groups = ranking(ranks, width).groups()
    for i, a in enumerate(ranks):
        for j, b in enumerate(ranks[:i]):
            assert any({f"m{i}", f"m{j}"} <= set(group) for group in groups) == (abs(a - b) < width)
    assert not any(set(a) <= set(b) for a in groups for b in groups if a is not b)


def test_methods_exactly_one_critical_difference_apart_are_told_apart():
    assert ranking([1.0, 2.0, 2.5], 1.0).groups() == [("m1", "m2")]


def test_false_alarms_of_the_whole_family_are_nominal():
    rng = np.random.default_rng(1)
    critical, alarms, repeats = critical_difference(5, 12), 0, 1500
    for _ in range(repeats):
        ranks = stats.rankdata(rng.normal(size=(12, 5)), axis=1).mean(0)
        alarms += np.ptp(ranks) >= critical
    # Sampling error over 1500 repeats is .006; with few data sets the limit is a little careful.
    assert 0.02 < alarms / repeats < 0.07


def test_with_five_data_sets_there_is_no_ranking_but_the_way_to_go():
    with pytest.raises(BenchmarkError, match=r"got 5; expected at least 6\. Use benchmark\.stats\.aggregate"):
        compare_ranks(VALUES[:5], NAMES)
    assert compare_ranks(VALUES[:6], NAMES).datasets == 6


# --- diagram ----------------------------------------------------------------------------------------


def parts(svg):
    """Lines of each kind as numbers, and all texts."""
    root = ET.fromstring(svg)  # noqa: S314
    lines = {}
    for line in root.iter(f"{SVG}line"):
        lines.setdefault(line.get("class"), []).append([float(line.get(k)) for k in ("x1", "y1", "x2", "y2")])
    return root, lines, ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_diagram_shows_ranks_bars_and_the_critical_difference_to_scale():
    drawn = ranking([1.5, 4.0, 2.5, 2.0], 1.25, ["isnet", "a<b", "rrr", "vit"])
    root, lines, texts = parts(draw_ranks(drawn))
    scale = lines["axis"][0]
    unit = (scale[2] - scale[0]) / 3  # four methods: ranks 1 to 4
    where = {rank: scale[0] + (rank - 1) * unit for rank in (1.5, 2.0, 2.5, 4.0)}
    leads = [path.get("d") for path in root.iter(f"{SVG}path")]
    assert sorted(float(re.match(r"M([\d.]+) ", d)[1]) for d in leads) == pytest.approx(sorted(where.values()), abs=0.1)
    (bar,) = lines["bar"]  # isnet, vit and rrr; a<b stands alone
    assert bar[0] + 4 == pytest.approx(where[1.5], abs=0.1)
    assert bar[2] - 4 == pytest.approx(where[2.5], abs=0.1)
    assert any(x2 - x1 == pytest.approx(1.25 * unit, abs=0.15) for x1, _, x2, _ in lines["axis"][1:])
    assert {"isnet 1.50", "vit 2.00", "4.00 a<b", "2.50 rrr", "CD = 1.25"} <= set(texts)


def test_the_diagram_tells_itself_in_words_and_follows_light_and_dark():
    svg = draw_ranks(compare_ranks(VALUES, NAMES))
    root, lines, texts = parts(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("Average ranks, 1 = best: vit")
    assert "prefers-color-scheme:dark" in svg
    assert any("7 data sets; Friedman p = 0.37" in text for text in texts)
    assert len(lines["bar"]) == 1
    assert svg == draw_ranks(compare_ranks(VALUES, NAMES))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 14), st.integers(6, 40))
def test_everything_drawn_lies_within_the_picture_and_no_label_covers_another(seed, methods, datasets):
    values = np.random.default_rng(seed).normal(size=(datasets, methods))
    root, lines, _ = parts(draw_ranks(compare_ranks(values, [f"method_{i}" for i in range(methods)])))
    width, height = float(root.get("width")), float(root.get("height"))
    points = [(x, y) for kind in lines.values() for x1, y1, x2, y2 in kind for x, y in ((x1, y1), (x2, y2))]
    texts = [(float(t.get("x")), float(t.get("y"))) for t in root.iter(f"{SVG}text")]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points + texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_ranks(VALUES[:, :2], NAMES[:2]), "k >= 3 distinct methods"),
        (lambda: compare_ranks(VALUES, ["a", "b", "c", "c"]), "distinct"),
        (lambda: compare_ranks(VALUES, NAMES[:3]), "ranks of methods"),
        (lambda: compare_ranks(np.where(VALUES == 0.33, np.nan, VALUES), NAMES), "isnet on data set 2 is not finite"),
        (lambda: compare_ranks(np.ones((7, 4)), NAMES), "equal on every data set"),
        (lambda: compare_ranks(VALUES, NAMES, alpha=5), "alpha between 0 and 1"),
        (lambda: critical_difference(1, 10), "at least 2 methods"),
        (lambda: critical_difference(4, 0), "1 data set"),
    ],
)
def test_faults_are_told(call, message):
    with pytest.raises(BenchmarkError, match=message):
        call()
