"""The table of claims: counts, what verdicts mean, and what decides a claim that has no p."""

import pytest

from benchmark.report.claimed import claims_table
from benchmark.report.load import load
from benchmark.report.records import Claim

MORE = ["name", "source", "test", "family", "alpha", "n_units", "n_seeds"]


def claim(verdict="pass", **changes):
    base = {"claim": "c", "verdict": verdict, "evidence": "e", "effect": 0.5, "low": 0.4, "high": 0.6, "p": None}
    return Claim(**base | changes)


def fields(table):
    """Head to text of the first row."""
    names = [head.text for head in table.heads[1:]]
    return dict(zip(names, (entry.text for entry in table.rows[0].entries), strict=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"p": 0.0002, "test": "superiority"}, "<0.001"),
        ({"test": "every_seed"}, "no p: decided seed by seed"),
        ({"test": "ratio"}, "no p: decided by the interval of the ratio"),
        ({"test": "ratio", "low": None, "high": None}, "no p: decided by value"),
        ({"test": "ratio", "verdict": "undecided", "low": None, "high": None}, "no p: the evidence says why"),
        ({"test": "bound", "verdict": "undecided"}, "no p: the evidence says why"),
        ({}, "not defined: not tested"),
    ],
)
def test_a_claim_without_a_p_says_what_decides_it(changes, words):
    assert fields(claims_table([claim(**changes)]))["p"] == words


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        (["pass"] * 26 + ["undecided"] * 8 + ["fail"], "35 claims: 26 pass, 8 undecided, 1 fails."),
        (["pass", "fail", "fail"], "3 claims: 1 passes, 2 fail."),
        (["undecided"], "1 claim: 1 undecided."),
    ],
)
def test_verdicts_are_counted(verdicts, line):
    assert claims_table([claim(verdict) for verdict in verdicts]).notes[0] == line


def test_verdicts_levels_and_intervals_are_explained():
    _, verdicts, numbers = claims_table([claim(alpha=0.05), claim(alpha=0.01), claim()]).notes
    assert "alpha = 0.01 or 0.05" in verdicts and "docs/claims.md" in verdicts
    assert "95 %" in numbers and "before Holm" in numbers


def test_source_and_counts_stand_beside_a_claim_that_names_them():
    table = claims_table([claim(source="this project", n_units=1000, n_seeds=3), claim(test="ratio")])
    found = fields(table)
    assert list(found) == ["Source", "Verdict", "Effect", "p", "Rests on", "Evidence"]
    assert (found["Source"], found["Rests on"]) == ("this project", "1000 units, 3 seeds")
    assert [entry.text for entry in table.rows[1].entries][::4] == ["not given", "costs.csv"]


def test_no_claims_are_no_notes():
    assert claims_table([]).notes == []


def test_new_columns_are_read_and_old_files_too(results):
    assert {one.source for one in load(results).claims} == {""}
    path = results / "claims.csv"
    head, *lines = path.read_text().splitlines()
    values = ["n,paper,every_seed,,,1000,3", "m,ours,superiority,f,0.05,900,2"]
    path.write_text("\n".join([",".join([head, *MORE]), *(",".join(pair) for pair in zip(lines, values, strict=True))]))
    first, second = load(results).claims
    assert (first.source, first.test, first.alpha, first.n_units, first.n_seeds) == (
        "paper",
        "every_seed",
        None,
        1000,
        3,
    )
    assert (second.name, second.family, second.alpha, second.n_units) == ("m", "f", 0.05, 900)
