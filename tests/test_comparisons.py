"""Every test of a method against the reference, on predictions whose differences are known."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from benchmark.cell import Cell
from benchmark.comparisons import MARGIN
from benchmark.predictions import Predictions
from benchmark.predictions import Tested as Shown  # pytest takes a name that begins with Test for tests
from benchmark.summary import summarise

N, SEEDS = 200, 3


def stored(right):
    """Two classes; ``right[variant]`` ``[S, N]`` says which image each seed has right."""
    label = np.arange(N) % 2
    names = np.array([f"i{row:03d}" for row in range(N)])
    logits = {}
    for variant, correct in right.items():
        answer = np.where(correct, label, 1 - label)
        logits[variant] = np.eye(2, dtype=np.float32)[answer] * 3
    shown = Shown(names, names, np.full(N, "here"), label)
    return Predictions(seeds=np.arange(SEEDS), tested=dict.fromkeys(right, shown), logits=logits)


def share(rng, rates):
    return np.stack([rng.random(N) < rate for rate in rates])


@pytest.fixture(scope="module")
def right():
    """erm falls from 0.95 to 0.4 where the mark deceives, isnet does not; rrr is in between."""
    rng = np.random.default_rng(0)
    return {
        "erm": {"iid": share(rng, [0.95, 0.96, 0.95]), "deceiving": share(rng, [0.38, 0.42, 0.4])},
        "isnet": {"iid": share(rng, [0.9, 0.9, 0.9])},
        "rrr": {"iid": share(rng, [0.93, 0.92, 0.93]), "deceiving": share(rng, [0.5, 0.7, 0.6])},
    }


@pytest.fixture(scope="module")
def rows(right):
    kept = {**right["isnet"], "deceiving": right["isnet"]["iid"]}
    cells = {"erm": right["erm"], "isnet": kept, "rrr": right["rrr"]}
    found = summarise({Cell("d", "b", name): stored(each) for name, each in cells.items()}, draws=1000)
    return {(row.method, row.variant): row for row in found.comparisons}


def test_every_other_method_is_compared_on_every_variant_and_one_variant_is_primary(rows):
    assert set(rows) == {(m, v) for m in ("isnet", "rrr") for v in ("iid", "deceiving")}
    assert {v: rows["rrr", v].primary for v in ("iid", "deceiving")} == {"iid": False, "deceiving": True}
    assert {row.reference for row in rows.values()} == {"erm"}


def test_the_difference_is_that_of_the_seed_means(rows, right):
    expected = right["rrr"]["deceiving"].mean() - right["erm"]["deceiving"].mean()
    row = rows["rrr", "deceiving"]
    assert row.diff == pytest.approx(expected)
    assert row.low < expected < row.high
    assert row.nested_low < expected < row.nested_high


def test_adjusted_p_values_are_never_smaller_than_plain_ones(rows):
    for row in rows.values():
        assert row.p <= row.p_holm <= 1
    p = [rows[m, "deceiving"].p for m in ("isnet", "rrr")]
    small, large = sorted(p)
    assert sorted(rows[m, "deceiving"].p_holm for m in ("isnet", "rrr")) == pytest.approx(
        [2 * small, max(2 * small, large)]
    )
    assert rows["isnet", "deceiving"].p_max_t <= 0.01


def test_sign_flips_are_those_of_scipy(rows, right):
    difference = right["rrr"]["iid"].mean(0) - right["erm"]["iid"].mean(0)
    by_scipy = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert rows["rrr", "iid"].p_sign_flip == pytest.approx(by_scipy.pvalue, abs=0.015)


def test_a_run_that_always_wins_improves_with_probability_one(rows):
    assert rows["isnet", "deceiving"].improvement == 1
    assert rows["isnet", "iid"].improvement == 0


def test_a_method_without_a_gap_has_one_within_the_margin_and_a_large_gap_has_not(rows):
    assert rows["rrr", "deceiving"].margin == MARGIN
    assert np.isnan(rows["rrr", "iid"].p_gap_equivalent)
    assert np.isnan(rows["isnet", "deceiving"].p_gap_equivalent)  # the same answers: no variance to test with
    assert rows["rrr", "deceiving"].p_gap_equivalent > 0.95


def test_mcnemar_is_told_for_each_pair_of_seeds(rows, right):
    told = [float(text) for text in rows["rrr", "deceiving"].p_mcnemar.split("; ")]
    assert len(told) == SEEDS
    for seed, p in enumerate(told):
        ours, theirs = right["rrr"]["deceiving"][seed], right["erm"]["deceiving"][seed]
        table = [[(ours & theirs).sum(), (ours & ~theirs).sum()], [(~ours & theirs).sum(), (~ours & ~theirs).sum()]]
        exact = mcnemar(table, exact=True)
        n, least = int(table[0][1] + table[1][0]), int(min(table[0][1], table[1][0]))
        assert p == pytest.approx(exact.pvalue - stats.binom.pmf(least, n, 0.5), rel=0.01)


def test_a_task_without_the_reference_is_not_compared(right):
    found = summarise({Cell("d", "b", "rrr"): stored(right["rrr"])}, draws=50)
    assert found.comparisons == []
    assert found.agreement == []
