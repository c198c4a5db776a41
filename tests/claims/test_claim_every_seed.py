"""The rule that each seed keeps a bound."""

import math

import numpy as np
import pytest
from claim_cases import cell, claim, one

from benchmark.metrics.named import metric_named
from benchmark.stats.track import Track

METRIC = metric_named("accuracy")


def of(*values):
    values = np.array(values, float)
    draws = np.repeat(values[:, None], 4, 1)
    return {
        cell("isnet"): {("deceiving", "accuracy"): Track(METRIC, "deceiving", values, draws, np.full(len(values), 9))}
    }


@pytest.mark.parametrize(
    ("bounds", "values", "expected"),
    [
        ({"at_least": 0.9}, [0.95, 0.91], "pass"),
        ({"at_least": 0.9}, [0.9, 0.95], "pass"),  # the bound itself keeps it
        ({"at_most": 0.05}, [1 - 0.95], "pass"),  # 0.05000000000000004 by rounding
        ({"at_least": 0.05}, [0.95 - 0.9], "pass"),  # 0.04999999999999993
        ({"at_most": 0.05}, [0.05 + 1e-8], "fail"),
        ({"at_least": 0.9}, [0.99, 0.8999], "fail"),  # one seed is enough, whatever the mean
        ({"at_most": 0.15}, [0.1, 0.15], "pass"),
        ({"at_most": 0.15}, [0.1, 0.151], "fail"),
        ({"at_most": 0.0}, [0.0, -0.1], "pass"),  # a bound of zero is a bound
        ({"at_most": 0.0}, [0.001], "fail"),
        ({"at_least": 0.0}, [-0.001], "fail"),
        ({"at_least": 0.9}, [0.95], "pass"),  # every seed there is: no statement about others
        ({"at_least": 0.9}, [math.nan, math.nan], "undecided"),
        ({"at_least": 0.9}, [0.95, math.nan], "undecided"),  # the seed without a score might break it
        ({"at_least": 0.9}, [0.85, math.nan], "fail"),  # whatever the other would be
    ],
)
def test_each_seed_must_keep_the_bound(bounds, values, expected):
    assert one(claim("every_seed", **bounds), of(*values)).verdict == expected


def test_the_evidence_names_the_seeds_by_their_numbers_and_the_effect_is_their_mean():
    row = one(claim("every_seed", at_least=0.9), of(0.95, 0.91), seeds={cell("isnet"): [4, 7]})
    assert row.evidence == "accuracy deceiving of isnet ≥ 0.9 in every seed (seed 4: 0.95, seed 7: 0.91)"
    assert row.effect == pytest.approx(0.93)
    # no variance of units, s² / S = 0.0004, one degree of freedom: 0.93 ± 12.706 · 0.02, cut at 1
    assert (row.low, row.high) == (pytest.approx(0.93 - 12.706 * 0.02, abs=1e-4), 1.0)
    assert math.isnan(row.p) and math.isnan(row.alpha) and row.family == ""
    assert (row.n_units, row.n_seeds) == (9, 2)


def test_a_seed_without_a_value_is_told():
    row = one(claim("every_seed", at_least=0.9), of(0.95, math.nan))
    assert row.evidence.endswith("(seed 0: 0.95, seed 1: not defined)")
    assert math.isnan(row.effect)


def test_without_the_cell_there_is_a_reason_and_no_number():
    row = one(claim("every_seed", at_most=0.25), {}, cells=[cell("isnet")])
    assert row.verdict == "undecided"
    assert row.evidence == "accuracy deceiving of isnet ≤ 0.25 in every seed (no such cell: mnist5k-corner-isnet)"
    assert math.isnan(row.effect) and row.n_units is None and row.n_seeds is None
