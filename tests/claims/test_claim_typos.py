"""What a claim cannot mean is an error, and never "undecided"."""

import re

import pytest
from claim_cases import cell, claim, decide, one, track, tracks

from benchmark.errors import BenchmarkError

FOUND = tracks(isnet=track(0.9), erm=track(0.5))
SUITE = [*FOUND, cell("rrr"), cell("isnet", bias="stamp")]


def refused(asked, told, cells=SUITE):
    with pytest.raises(BenchmarkError, match=re.escape(told)):
        decide(asked, FOUND, cells=cells)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": "mnist5"}, "unknown dataset of claim 'robust'; got 'mnist5'; expected did you mean 'mnist5k'?"),
        ({"bias": "coner"}, "unknown bias of claim 'robust'; got 'coner'; expected did you mean 'corner'?"),
        ({"method": "isnett"}, "unknown method of claim 'robust'; got 'isnett'; expected did you mean 'isnet'?"),
        ({"variant": "decieving"}, "unknown variant of claim 'robust'; got 'decieving'; expected did you mean"),
        ({"metric": "acuracy"}, "unknown metric of claim 'robust'; got 'acuracy'; expected did you mean 'accuracy'"),
    ],
)
def test_a_name_that_the_suite_does_not_have_is_refused(changes, told):
    refused(claim("every_seed", at_least=0.5, **changes), told)


def test_the_other_method_is_one_of_the_task():
    refused(claim("superiority", against="ermm"), "unknown method in against of claim 'robust'; got 'ermm'")
    refused(claim("ratio", column="params", at_most=1, against="unet"), "unknown method in against of claim 'robust'")
    refused(claim("ratio", column="params", at_most=1, method="unet"), "unknown method of claim 'robust'; got 'unet'")


def test_what_the_task_could_have_and_has_not_is_undecided():
    left_out = [{"method": "jtt"}, {"dataset": "mnist"}, {"method": "rrr", "bias": "stamp"}]
    for changes in (*left_out, {"method": "rrr"}, {"variant": "external"}, {"metric": "brier"}):
        assert one(claim("bound", at_least=0.5, **changes), FOUND, cells=SUITE).verdict == "undecided"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (claim("every_seed", at_least=5), "bound of claim 'robust'; got 5.0; expected from 0 to 1, as accuracy lies"),
        (claim("bound", at_most=-0.1), "bound of claim 'robust'; got -0.1"),
        (claim("every_seed", at_most=-1.1, metric="accuracy_gap"), "expected from -1 to 1, as accuracy_gap lies"),
        (claim("superiority", against="erm", margin=1), "margin of claim 'robust'; got 1.0; expected less than 1"),
        (claim("non_inferiority", against="erm", margin=5), "margin of claim 'robust'; got 5.0"),
        (claim("equivalence", against="erm", margin=2, metric="accuracy_gap"), "expected less than 2"),
        (claim("equivalence", margin=1.5, metric="accuracy_gap"), "expected less than 1"),  # |a gap| is at most 1
    ],
)
def test_a_number_in_percent_is_refused(asked, told):
    refused(asked, told)


def test_the_ends_of_a_metrics_range_may_be_asked_for():
    for bound in (0, 1):
        assert one(claim("every_seed", at_least=bound), FOUND).verdict in ("pass", "fail")
    assert one(claim("every_seed", at_most=-1, metric="accuracy_gap"), FOUND).verdict == "undecided"


def test_two_rows_of_one_name_are_refused_and_both_claims_named():
    many = claim("every_seed", at_least=0.5, name="ok", method=["isnet", "erm"], sentence="{method} is fine")
    refused(
        [many, claim("every_seed", at_least=0.9, name="ok_isnet")],
        "claims 'ok' and 'ok_isnet' both have a row 'ok_isnet'",
    )


def test_a_p_value_in_the_evidence_has_three_decimals_or_is_small():
    found = tracks(isnet=track(0.9, 0.02), erm=track(0.5, 0.01), rrr=track(0.9 - 0.01372, 0.01))
    assert (
        "(p <0.001, of the opposite 1.000, each before Holm)"
        in one(claim("superiority", against="erm"), found).evidence
    )
    assert (
        "(p 0.200, of the opposite 1.000, each before Holm)" in one(claim("superiority", against="rrr"), found).evidence
    )
