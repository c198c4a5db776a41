"""Every verdict of every test about scores, by hand with the table of Student's t for ten degrees of freedom."""

import math

import numpy as np
import pytest
from claim_cases import cell, claim, decide, one, track, tracks
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from benchmark.metrics.named import metric_named
from benchmark.stats.compare import paired_difference
from benchmark.stats.equivalence import equivalent, not_worse
from benchmark.stats.interval import variance_sum
from benchmark.stats.track import Track

SE = 0.01


@pytest.mark.parametrize(
    ("bounds", "value", "p", "verdict"),
    [
        ({"at_least": 0.5}, 0.5 + 1.812 * SE, 0.05, None),
        ({"at_least": 0.5}, 0.5 + 2.764 * SE, 0.01, "pass"),
        ({"at_least": 0.5}, 0.5 + 1.372 * SE, 0.10, "undecided"),
        ({"at_least": 0.5}, 0.5, 0.5, "undecided"),
        ({"at_least": 0.5}, 0.5 - 2.764 * SE, 0.99, "fail"),
        ({"at_most": 0.5}, 0.5 - 2.764 * SE, 0.01, "pass"),
        ({"at_most": 0.5}, 0.5 + 2.764 * SE, 0.99, "fail"),
        ({"at_most": 0.5}, 0.5 - 1.372 * SE, 0.10, "undecided"),
    ],
)
def test_a_bound_is_one_sided(bounds, value, p, verdict):
    row = one(claim("bound", **bounds), tracks(isnet=track(value, SE)))
    assert row.p == pytest.approx(p, abs=1e-4)
    assert verdict is None or row.verdict == verdict
    assert (row.low, row.high) == pytest.approx((value - 2.228 * SE, value + 2.228 * SE), abs=1e-5)


def test_all_right_in_all_seeds_is_tested_exactly():
    perfect, wrong = (tracks(isnet=track(value, 0.0, units=100)) for value in (1.0, 0.0))
    exact = binomtest(100, 100, 0.97, alternative="greater").pvalue  # 0.97^100 = 0.0476
    assert one(claim("bound", at_least=0.97), perfect).p == pytest.approx(exact) == pytest.approx(0.0476, abs=1e-4)
    assert one(claim("bound", at_most=0.03), wrong).p == pytest.approx(exact)
    assert one(claim("bound", at_least=0.97), perfect).verdict == "pass"
    assert one(claim("bound", at_least=0.971), perfect).verdict == "undecided"  # 0.971^100 = 0.0527
    assert one(claim("bound", at_least=0.1), wrong).verdict == "fail"
    assert one(claim("bound", at_least=0.99), perfect).verdict == "undecided"
    assert one(claim("bound", at_most=0.9), perfect).verdict == "fail"
    assert one(claim("bound", at_least=1.0), perfect).verdict == "undecided"  # nothing lies beyond 1
    assert one(claim("bound", at_most=0.0), tracks(isnet=track(0.0, 0.0))).verdict == "undecided"


@pytest.mark.parametrize(
    ("margin", "difference", "p", "verdict"),
    [
        (0.0, 3.169 * SE, 0.01, "pass"),  # two-sided: t(0.995) = 3.169
        (0.0, 2.228 * SE, 0.05, None),
        (0.0, 1.812 * SE, 0.10, "undecided"),
        (0.0, -1.812 * SE, 1.0, "undecided"),
        (0.0, -3.169 * SE, 1.0, "fail"),
        (0.1, 0.1 + 3.169 * SE, 0.01, "pass"),
        (0.1, 0.05, 1.0, "fail"),  # better, and shown to be so by less than the margin
        (0.1, 0.1 - 1.812 * SE, 1.0, "undecided"),
    ],
)
def test_superiority_asks_both_directions_at_once(margin, difference, p, verdict):
    found = tracks(
        isnet=track(0.5 + difference, 2 * SE), erm=track(0.5, SE)
    )  # draws in step: se of the difference 0.01
    row = one(claim("superiority", against="erm", margin=margin), found)
    assert row.p == pytest.approx(p, abs=1e-4)
    assert verdict is None or row.verdict == verdict
    assert (row.effect, row.n_units, row.n_seeds) == (pytest.approx(difference), 11, 3)
    assert (row.low, row.high) == pytest.approx((difference - 2.228 * SE, difference + 2.228 * SE), abs=1e-5)


def test_a_difference_rests_on_the_smaller_set_of_units():
    found = tracks(isnet=track(0.5 + 2.228 * SE, 2 * SE, units=11), erm=track(0.5, SE, units=500))
    for method, against in (("isnet", "erm"), ("erm", "isnet")):
        row = one(claim("superiority", method=method, against=against), found)
        assert row.n_units == 11
        assert abs(row.effect) - (row.high - row.low) / 2 == pytest.approx(0, abs=1e-5)  # t(0.975) of ten degrees


def test_superiority_without_a_margin_has_the_p_of_the_summary():
    rng = np.random.default_rng(0)
    ours, theirs = (
        Track(metric_named("accuracy"), "deceiving", v, v[:, None] + rng.normal(0, 0.01, (3, 400)), np.full(3, 500))
        for v in (np.array([0.81, 0.84, 0.8]), np.array([0.7, 0.75, 0.79]))
    )
    difference = paired_difference(ours.values, ours.draws, theirs.values, theirs.draws, 500, span=1.0)
    row = one(claim("superiority", against="erm"), tracks(isnet=ours, erm=theirs))
    assert row.p == pytest.approx(difference.p, rel=1e-12)
    assert (row.effect, row.low, row.high) == (
        difference.interval.value,
        difference.interval.low,
        difference.interval.high,
    )


def test_less_is_better_where_the_metric_says_so():
    name = "background_relevance_mass"
    found = tracks(isnet=track(0.2, 2 * SE, metric=name), erm=track(0.5, SE, metric=name))
    better = one(claim("superiority", against="erm", metric=name), found)
    assert (better.verdict, better.effect) == ("pass", pytest.approx(-0.3))
    assert "isnet minus erm < 0 (p" in better.evidence
    assert one(claim("superiority", method="erm", against="isnet", metric=name), found).verdict == "fail"
    assert one(claim("non_inferiority", against="erm", margin=0.1, metric=name), found).verdict == "pass"
    assert (
        one(claim("non_inferiority", method="erm", against="isnet", margin=0.1, metric=name), found).verdict == "fail"
    )


@pytest.mark.parametrize(
    ("difference", "p", "verdict"),
    [
        (-0.05 + 2.764 * SE, 0.01, "pass"),
        (-0.05 + 1.372 * SE, 0.10, "undecided"),
        (-0.05 - 1.372 * SE, 0.90, "undecided"),
        (-0.05 - 2.764 * SE, 0.99, "fail"),
    ],
)
def test_non_inferiority_is_one_sided_at_the_margin(difference, p, verdict):
    found = tracks(isnet=track(0.5 + difference, 2 * SE), erm=track(0.5, SE))
    row = one(claim("non_inferiority", against="erm", margin=0.05), found)
    assert (row.p, row.verdict) == (pytest.approx(p, abs=1e-4), verdict)
    difference = paired_difference(
        *(getattr(found[cell(m)]["deceiving", "accuracy"], a) for m in ("isnet", "erm") for a in ("values", "draws")),
        11,
    )
    assert row.p == pytest.approx(not_worse(difference.interval, 0.05))


@pytest.mark.parametrize(
    ("value", "p", "verdict"),
    [
        (0.0, 0.00026, "pass"),  # t = 5: P(T_10 > 5) = 0.000269
        (0.05 - 2.764 * SE, 0.01, "pass"),
        (-0.05 + 2.764 * SE, 0.01, "pass"),
        (0.05 - 1.372 * SE, 0.10, "undecided"),
        (0.05 + 1.812 * SE, 0.95, "undecided"),  # the opposite: 2 · 0.05
        (0.05 + 2.764 * SE, 0.99, "fail"),
        (-0.05 - 2.764 * SE, 0.99, "fail"),
    ],
)
def test_equivalence_of_a_value_is_two_one_sided_tests(value, p, verdict):
    gap = track(value, SE, metric="accuracy_gap")
    row = one(claim("equivalence", metric="accuracy_gap", margin=0.05), tracks(isnet=gap))
    assert (row.p, row.verdict) == (pytest.approx(p, abs=1e-4), verdict)
    assert row.p == pytest.approx(equivalent(gap.interval(), 0.05))


def test_equivalence_of_two_methods_is_about_their_difference():
    found = tracks(isnet=track(0.9, 2 * SE), erm=track(0.89, SE), vit=track(0.6, SE))
    near, far = decide(
        [claim("equivalence", name=name, against=name, margin=0.05) for name in ("erm", "vit")],
        found,
    )
    assert (near.verdict, near.effect, far.verdict, far.effect) == (
        "pass",
        pytest.approx(0.01),
        "fail",
        pytest.approx(0.3),
    )


def test_where_no_unit_differs_equivalence_is_exact():
    same = tracks(
        isnet=track(0.0, 0.0, metric="accuracy_gap", units=59), erm=track(0.0, 0.0, metric="accuracy_gap", units=58)
    )
    asked = [claim("equivalence", name=m, method=m, metric="accuracy_gap", margin=0.05) for m in ("isnet", "erm")]
    enough, too_few = decide(asked, same)  # the rule of three: 59 units bound a share below 0.05
    assert enough.p == pytest.approx(binom.pmf(0, 59, 0.05)) == pytest.approx(0.0485, abs=1e-4)
    assert (enough.verdict, too_few.verdict) == ("pass", "undecided")
    assert -0.05 < enough.low < 0 < enough.high < 0.05 < too_few.high
    assert enough.high == pytest.approx(-enough.low)


def test_where_no_unit_differs_no_method_is_better():
    found = tracks(isnet=track(0.8, SE, units=100), erm=track(0.8, SE, units=100))
    asked = [
        claim("superiority", name="better", against="erm"),
        claim("superiority", name="much_better", against="erm", margin=0.05),
        claim("non_inferiority", name="as_good", against="erm", margin=0.05),
    ]
    better, much, as_good = decide(asked, found)
    assert (better.verdict, much.verdict, as_good.verdict) == ("undecided", "fail", "pass")
    assert as_good.p == pytest.approx(0.95**100)


@pytest.mark.parametrize("value", [0.0, 0.8])
def test_no_variance_of_another_metric_is_no_test(value):
    flat = track(value, 0.0, metric="macro_f1_gap")
    row = one(claim("equivalence", metric="macro_f1_gap", margin=0.9), tracks(isnet=flat))
    assert (row.verdict, row.effect) == ("undecided", pytest.approx(value))
    assert "no variance between units or seeds" in row.evidence
    assert math.isnan(row.p)


def side(interval, least, most):
    """What an interval says of "between least and most"."""
    if least < interval.low and interval.high < most:
        return "pass"
    return "fail" if interval.high < least or interval.low > most else "undecided"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.3, 0.7), min_size=2, max_size=5),
    st.floats(1e-3, 0.1),
    st.floats(0.2, 0.8),
    st.sampled_from([0.01, 0.05, 0.1]),
)
def test_each_verdict_is_what_an_interval_of_its_level_says(values, spread, at, alpha):
    """Bound: 1 - 2 α, both ways. Superiority: 1 - α. Equivalence: 1 - 2 α inside, 1 - α outside."""
    values = np.array(values)
    draws = values[:, None] + np.random.default_rng(0).normal(0, spread, (len(values), 50))
    ours = Track(metric_named("accuracy_gap"), "deceiving", values, draws, np.full(len(values), 40))
    nothing = Track(ours.metric, "deceiving", 0 * values, 0 * draws, ours.n_units)

    def interval(level):
        return variance_sum(values, draws.mean(0), 40, level=level)

    ends = [end for level in (1 - alpha, 1 - 2 * alpha) for end in (interval(level).low, interval(level).high)]
    assume(min(abs(end - at) for end in ends) > 1e-9)
    found = {"metric": "accuracy_gap", "alpha": alpha}
    cells = tracks(isnet=ours, erm=nothing)
    above = one(claim("bound", at_least=at, **found), cells)
    below = one(claim("bound", at_most=at, **found), cells)
    assert above.verdict == side(interval(1 - 2 * alpha), at, np.inf)
    assert below.verdict == side(interval(1 - 2 * alpha), -np.inf, at)
    gain = one(claim("superiority", method="erm", against="isnet", margin=at, **found), cells)  # a gap: less is better
    assert gain.verdict == side(interval(1 - alpha), at, np.inf)
    within = one(claim("equivalence", margin=at, **found), cells)
    inside, outside = side(interval(1 - 2 * alpha), -at, at), side(interval(1 - alpha), -at, at)
    assert within.verdict == ("pass" if inside == "pass" else "fail" if outside == "fail" else "undecided")
