"""A claim about a list is one claim and many rows."""

import pytest
from claim_cases import cell, claim

from benchmark.claims import members

SUITE = [cell(m, bias=b) for b in ("corner", "stamp") for m in ("erm", "isnet", "rrr", "isnet_path")]


def named(asked, suite=SUITE):
    return [
        (member.cell and member.cell.key, member.against, member.name, member.sentence)
        for member in members(asked, suite)
    ]


def test_a_name_is_one_member():
    assert named(claim("bound", at_least=0.5)) == [("mnist5k-corner-isnet", "", "robust", "It reads the digit")]


def test_lists_are_multiplied_and_told_in_name_and_sentence():
    asked = claim(
        "bound", at_least=0.5, method=["isnet", "rrr"], bias=["corner", "stamp"], sentence="{method} on {bias}"
    )
    assert named(asked) == [
        ("mnist5k-corner-isnet", "", "robust_corner_isnet", "isnet on corner"),
        ("mnist5k-corner-rrr", "", "robust_corner_rrr", "rrr on corner"),
        ("mnist5k-stamp-isnet", "", "robust_stamp_isnet", "isnet on stamp"),
        ("mnist5k-stamp-rrr", "", "robust_stamp_rrr", "rrr on stamp"),
    ]


def test_rivals_are_the_other_methods_of_the_task_outside_the_isnet_family():
    suite = [*SUITE, cell("vit", bias="stamp")]
    asked = claim("superiority", against="rivals", bias=["corner", "stamp"], sentence="beats {against} on {bias}")
    assert [(key, against) for key, against, *_ in named(asked, suite)] == [
        ("mnist5k-corner-isnet", "erm"),
        ("mnist5k-corner-isnet", "rrr"),
        ("mnist5k-stamp-isnet", "erm"),
        ("mnist5k-stamp-isnet", "rrr"),
        ("mnist5k-stamp-isnet", "vit"),
    ]


def test_a_method_is_no_rival_of_itself():
    asked = claim("superiority", method="rrr", against="rivals", sentence="beats {against}")
    assert [against for _, against, *_ in named(asked)] == ["erm"]


def test_a_claim_about_costs_is_about_methods():
    asked = claim("ratio", method=["isnet", "isnet_path"], column="params", at_most=1, sentence="{method} is small")
    assert named(asked) == [
        (None, "erm", "robust_isnet", "isnet is small"),
        (None, "erm", "robust_isnet_path", "isnet_path is small"),
    ]


def test_names_of_rows_differ():
    asked = claim(
        "superiority", method=["isnet", "isnet_path"], against=["erm", "rrr"], sentence="{method} beats {against}"
    )
    assert [name for *_, name, _ in named(asked)] == [
        "robust_isnet_vs_erm",
        "robust_isnet_vs_rrr",
        "robust_isnet_path_vs_erm",
        "robust_isnet_path_vs_rrr",
    ]


@pytest.mark.parametrize("key", ["dataset", "bias", "method"])
def test_each_place_of_a_sentence_is_filled(key):
    names = ["one", "two"]
    asked = claim("every_seed", at_least=0.5, sentence=f"said of {{{key}}}", **{key: names})
    assert [sentence for *_, sentence in named(asked)] == ["said of one", "said of two"]
