"""Holm over a family that is fixed in advance, and what is missing from it."""

import math

import numpy as np
import pytest
from claim_cases import cell, claim, decide, one, track, tracks
from statsmodels.stats.multitest import multipletests

from benchmark.claims import COLUMNS
from benchmark.metrics.named import metric_named
from benchmark.stats.track import Track

# Two-sided p of 0.01, 0.02 and 0.2 for ten degrees of freedom: t = 3.169, 2.764, 1.372
RIVALS = {"erm": 0.5 - 0.03169, "vit": 0.5 - 0.02764, "rrr": 0.5 - 0.01372}


def found(**extra):
    return tracks(isnet=track(0.5, 0.02), **{m: track(v, 0.01) for m, v in RIVALS.items()}, **extra)


def beats(**changes):
    return claim("superiority", **{"sentence": "It beats {against}", "against": "rivals"} | changes)


def test_every_rival_is_a_member_and_has_its_row():
    rows = decide(beats(), found(isnet_path=track(0.9)))
    assert [row.claim for row in rows] == ["It beats erm", "It beats vit", "It beats rrr"]
    assert [row.name for row in rows] == ["robust_vs_erm", "robust_vs_vit", "robust_vs_rrr"]
    # Holm by hand: 3 · 0.01, 2 · 0.02, 1 · 0.2
    assert [row.p for row in rows] == pytest.approx([0.03, 0.04, 0.2], abs=2e-4)
    assert [row.verdict for row in rows] == ["pass", "pass", "undecided"]
    assert {row.family for row in rows} == {"robust"}


def test_holm_is_statsmodels_holm():
    alone = [one(beats(against=rival), found()).p for rival in RIVALS]
    _, adjusted, *_ = multipletests(alone, method="holm")
    assert [row.p for row in decide(beats(), found())] == pytest.approx(adjusted)


def test_the_opposite_has_a_holm_of_its_own():
    worse = tracks(isnet=track(0.5, 0.02), erm=track(0.53169, 0.01), vit=track(0.53169, 0.01), rrr=track(0.5228, 0.01))
    rows = decide(beats(), worse)
    # two-sided p of the opposite: 0.01, 0.01 and 0.046 (t = 2.28): 0.03, 0.03 and 0.046
    assert [row.verdict for row in rows] == ["fail", "fail", "fail"]
    assert [row.p for row in rows] == [1, 1, 1]
    assert [row.verdict for row in decide(beats(alpha=0.02), worse)] == ["undecided"] * 3


def test_a_family_spans_claims_that_name_it_and_no_others():
    first, second = (beats(name=name, against=[rival], family="ours") for name, rival in (("a", "erm"), ("b", "vit")))
    alone = beats(name="c", against="rrr")
    rows = decide([first, second, alone], found())
    assert [row.p for row in rows] == pytest.approx([0.02, 0.02, 0.2], abs=2e-4)
    assert [row.family for row in rows] == ["ours", "ours", "c"]


def test_a_member_that_is_missing_counts_as_one_that_is_not_rejected():
    suite = [*found(), cell("gain"), cell("ham")]
    rows = {row.name: row for row in decide(beats(), found(), cells=suite)}
    assert rows["robust_vs_erm"].p == pytest.approx(5 * 0.01, abs=5e-4)
    missing = rows["robust_vs_gain"]
    assert (missing.verdict, missing.family, missing.alpha) == ("undecided", "robust", 0.05)
    assert missing.evidence.endswith("(no test: no such cell: mnist5k-corner-gain)")
    assert all(math.isnan(value) for value in (missing.p, missing.effect, missing.low, missing.high))


def test_a_claim_about_a_skipped_cell_and_one_without_rivals_are_undecided():
    skipped = [*found(), cell("ham")]
    nobody = one(claim("bound", at_least=0.5, method="ham"), found(), cells=skipped)
    assert nobody.evidence == "accuracy deceiving of ham > 0.5 (no test: no such cell: mnist5k-corner-ham)"
    lonely = one(beats(), tracks(isnet=track(0.5), isnet_path=track(0.4)))
    assert (lonely.verdict, lonely.claim, lonely.name) == ("undecided", "It beats its rivals", "robust_vs_nobody")
    assert "the suite has no rival" in lonely.evidence


@pytest.mark.parametrize("test", ["bound", "superiority", "non_inferiority", "equivalence"])
def test_one_seed_is_undecided_with_its_value(test):
    parameters = {"bound": {"at_least": 0.1}, "superiority": {"against": "erm"}}
    parameters |= {name: {"against": "erm", "margin": 0.5} for name in ("non_inferiority", "equivalence")}
    row = one(claim(test, **parameters[test]), tracks(isnet=track(0.9, 0.02, seeds=1), erm=track(0.6, seeds=1)))
    assert (row.verdict, row.n_seeds) == ("undecided", 1)
    assert "one seed: what another training would give cannot be told" in row.evidence
    assert math.isnan(row.p)
    assert row.effect == pytest.approx(0.9 if test == "bound" else 0.3)


def test_what_cannot_be_paired_is_not_compared():
    asked, theirs = claim("superiority", against="erm"), track(0.5)
    seeds = {cell("isnet"): [0, 1, 2], cell("erm"): [0, 1, 3]}
    assert "other seeds" in one(asked, tracks(isnet=track(0.9, 0.02), erm=theirs), seeds=seeds).evidence

    loss = Track(metric_named("heatmap_loss"), "iid", np.array([0.1, 0.2]), None, np.zeros(2, int))
    losing = claim("superiority", against="erm", variant="iid", metric="heatmap_loss")
    assert "nothing to pair" in one(losing, tracks(isnet=loss, erm=loss)).evidence

    here, there = np.array([[0.1, np.nan]] * 3), np.array([[np.nan, 0.1]] * 3)
    some = [
        Track(theirs.metric, "deceiving", theirs.values, theirs.seed_draws, theirs.n_units, i) for i in (here, there)
    ]
    assert "not defined on the same images" in one(asked, tracks(isnet=some[0], erm=some[1])).evidence


@pytest.mark.parametrize("at", ["isnet", "erm"])
def test_an_undefined_metric_is_undecided_with_the_reason(at):
    methods = {"isnet": track(0.9, 0.02), "erm": track(0.5)}
    methods[at] = methods[at].without_value()
    row = one(claim("superiority", against="erm"), tracks(**methods))
    assert (row.verdict, row.evidence.endswith(f"(no test: not defined for mnist5k-corner-{at})")) == (
        "undecided",
        True,
    )


def test_a_metric_that_is_not_defined_in_one_seed_is_undecided():
    values = np.array([0.9, 0.9, np.nan])
    gone = Track(
        metric_named("accuracy"), "deceiving", values, values[:, None] + np.array([-0.01, 0.01]), np.full(3, 11)
    )
    row = one(claim("bound", at_least=0.5), tracks(isnet=gone))
    assert "the value is not defined for every seed" in row.evidence
    assert (row.verdict, math.isnan(row.effect)) == ("undecided", True)


def test_another_variant_of_the_same_cell_does_not_count():
    row = one(claim("bound", at_least=0.5, variant="ood"), tracks(isnet=track(0.9)))
    assert row.evidence.endswith("(no test: mnist5k-corner-isnet has no accuracy on ood)")


def test_the_first_seven_columns_are_those_that_the_report_reads():
    assert COLUMNS[:7] == ("claim", "verdict", "effect", "low", "high", "p", "evidence")
    assert COLUMNS[7:] == ("name", "source", "test", "family", "alpha", "n_units", "n_seeds")
