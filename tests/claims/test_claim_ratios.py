"""Claims about costs, by made-up rows of costs.csv."""

import math
import re

import pytest
from claim_cases import claim, decide, one

from benchmark.errors import BenchmarkError

ERM = {"method": "erm", "inference_ratio": "1.0", "params": "100", "memory_ratio": "1.0", "train_seconds": "10"}
ERM |= {"inference_ratio_low": "1.0", "inference_ratio_high": "1.0"}


def row(method, value, low="", high="", **other):
    return {
        "method": method,
        "inference_ratio": value,
        "inference_ratio_low": low,
        "inference_ratio_high": high,
        **other,
    }


def asked(**changes):
    return claim("ratio", **{"column": "inference_ratio"} | changes)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        ("0.985", "1.015", "pass"),
        ("0.98", "1.02", "pass"),  # the bounds belong to it
        ("0.9799999999999", "1.02000000000001", "pass"),  # to within rounding
        ("0.979", "1.0", "undecided"),
        ("1.0", "1.021", "undecided"),
        ("0.9", "1.1", "undecided"),
        ("1.021", "1.03", "fail"),
        ("0.9", "0.979", "fail"),
    ],
)
def test_the_interval_of_a_timed_ratio_decides(low, high, verdict):
    value = (float(low) + float(high)) / 2
    found = one(asked(at_least=0.98, at_most=1.02), costs=[ERM, row("isnet", str(value), low, high)])
    assert (found.verdict, found.effect, found.low, found.high) == (verdict, value, float(low), float(high))
    assert math.isnan(found.p) and found.family == ""


def test_a_ratio_to_another_method_cancels_the_reference_and_keeps_both_uncertainties():
    costs = [ERM, row("isnet", "1.0", "0.9", "1.1"), row("unet_classifier", "2.5", "2.2", "2.75")]
    found = one(asked(against="unet_classifier", at_most=1), costs=costs)
    assert (found.effect, found.low, found.high) == pytest.approx((0.4, 0.9 / 2.75, 1.1 / 2.2))
    assert found.verdict == "pass"
    # two bounds that miss in 5 % of cases each miss together in at most 10 %
    assert found.evidence.endswith("(decided by the interval, of two 95 % ones: at least 90 %)")
    assert one(asked(method="unet_classifier", against="isnet", at_most=1), costs=costs).verdict == "fail"


def test_a_timing_without_an_interval_decides_nothing():
    for ours in (row("isnet", "1.0"), {"method": "isnet", "inference_ratio": "1.0"}):  # columns empty, or not there
        found = one(asked(at_most=1.5), costs=[ERM, ours])
        assert (found.verdict, found.effect, math.isnan(found.low)) == ("undecided", 1.0, True)
        assert "costs.csv has no interval of inference_ratio" in found.evidence
    seconds = one(asked(column="train_seconds", at_most=9), costs=[ERM, row("isnet", "1", train_seconds="25")])
    assert (seconds.verdict, seconds.effect) == ("undecided", 2.5)


@pytest.mark.parametrize(("column", "value", "verdict"), [("params", "90", "pass"), ("memory_ratio", "1.5", "fail")])
def test_what_is_counted_is_decided_by_its_value(column, value, verdict):
    found = one(asked(column=column, at_most=1), costs=[ERM, row("isnet", "1", **{column: value})])
    assert found.verdict == verdict
    assert "decided by the value" in found.evidence


@pytest.mark.parametrize(
    ("costs", "why"),
    [
        ([], "costs.csv is not there"),
        ([ERM], "costs.csv has no isnet"),
        ([row("isnet", "1.0", "1.0", "1.0")], "costs.csv has no erm"),
        ([ERM, row("isnet", "")], "no number to divide"),
    ],
)
def test_what_is_missing_is_undecided_and_told(costs, why):
    found = one(asked(at_most=1), costs=costs)
    assert (found.verdict, math.isnan(found.effect)) == ("undecided", True)
    assert why in found.evidence


def test_methods_and_bounds_are_told():
    claims = asked(method=["isnet", "isnet_path"], sentence="{method} is free", at_least=0.98, at_most=1.02)
    rows = decide(claims, costs=[ERM, row("isnet", "1.0", "0.99", "1.01")])
    assert [found.claim for found in rows] == ["isnet is free", "isnet_path is free"]
    assert rows[0].evidence == "inference_ratio of isnet ÷ erm ≥ 0.98 and ≤ 1.02 (decided by the interval)"
    assert [found.verdict for found in rows] == ["pass", "undecided"]


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ([ERM, ERM], "method in costs.csv; got 'erm'"),
        ([ERM, row("", "1.0")], "method in costs.csv; got ''"),
        ([ERM, row("isnet", "0")], "inference_ratio of isnet in costs.csv; got '0'; expected a positive number"),
        ([ERM, row("isnet", "-1", "-2", "0")], "inference_ratio_low of isnet in costs.csv; got '-2'"),
        ([ERM, row("isnet", "nan")], "got 'nan'"),
        ([ERM, row("isnet", "1.0", "0.9", "inf")], "inference_ratio_high of isnet in costs.csv; got 'inf'"),
        ([ERM, row("isnet", "fast")], "got 'fast'"),
        ([ERM, row("isnet", "1.2", "0.9", "1.1")], "inference_ratio of isnet in costs.csv; got '1.2 [0.9, 1.1]'"),
        ([ERM, row("isnet", "0.8", "0.9")], "expected low <= value <= high"),
        ([ERM, row("isnet", "", "1.1", "0.9")], "expected low <= value <= high"),
        ([ERM, row("isnet", "1", params="0")], "params of isnet"),
    ],
)
def test_costs_that_cannot_be_are_refused(costs, told):
    with pytest.raises(BenchmarkError, match=re.escape(told)):
        one(asked(at_most=1), costs=costs)
