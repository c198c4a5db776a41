import re
from pathlib import Path

import pytest

from benchmark.claims import COLUMNS, Claim, decide, read_claims
from benchmark.errors import BenchmarkError

FIELDS = {
    "name": "robust",
    "sentence": "It reads the digit",
    "source": "this project",
    "dataset": "mnist5k",
    "bias": "corner",
    "method": "erm",
    "variant": "ood",
    "metric": "accuracy",
}


def claim(**bounds):
    return Claim(**FIELDS, **bounds)


def row(value, seed="0", **other):
    names = {name: FIELDS[name] for name in ("dataset", "bias", "method", "variant", "metric")}
    return {**names, "seed": seed, "value": value, **other}


def verdict(claim, *values):
    return decide(claim, [row(value, str(seed)) for seed, value in enumerate(values)], [])["verdict"]


@pytest.mark.parametrize(
    ("bounds", "values", "expected"),
    [
        ({"at_least": 0.9}, ["0.95", "0.91"], "pass"),
        ({"at_least": 0.9}, ["0.9", "0.95"], "pass"),  # the bound itself keeps it
        ({"at_least": 0.9}, ["0.99", "0.8999"], "fail"),  # one seed is enough, whatever the mean
        ({"at_most": 0.15}, ["0.1", "0.15"], "pass"),
        ({"at_most": 0.15}, ["0.1", "0.151"], "fail"),
        ({"at_most": 0.0}, ["0.0", "-0.1"], "pass"),  # a bound of zero is a bound
        ({"at_most": 0.0}, ["0.001"], "fail"),
        ({"at_least": 0.0}, ["-0.001"], "fail"),
        ({"at_least": 0.9}, [], "undecided"),
        ({"at_least": 0.9}, ["", ""], "undecided"),
        ({"at_least": 0.9}, ["0.95", ""], "undecided"),  # the seed without a score might break it
        ({"at_least": 0.9}, ["0.85", ""], "fail"),  # whatever the other would be
    ],
)
def test_verdicts(bounds, values, expected):
    assert verdict(claim(**bounds), *values) == expected


@pytest.mark.parametrize("name", ["dataset", "bias", "method", "variant", "metric"])
def test_scores_of_other_cells_variants_and_metrics_do_not_count(name):
    scores = [row("0.95"), {**row("0.1", "1"), name: "other"}]
    assert decide(claim(at_least=0.9), scores, [])["verdict"] == "pass"
    assert decide(claim(at_least=0.9), scores[1:], [])["verdict"] == "undecided"


def test_a_decided_row():
    summary = [row("0.5", variant="iid", low="0", high="1"), row("0.93", low="0.9", high="0.96")]
    found = decide(claim(at_least=0.9), [row("0.95", "0"), row("0.91", "7")], summary)
    assert tuple(found) == COLUMNS
    assert found == {
        "claim": "It reads the digit",
        "verdict": "pass",
        "effect": "0.93",
        "low": "0.9",
        "high": "0.96",
        "p": "",
        "evidence": "accuracy ood of erm ≥ 0.9 in every seed (seed 0: 0.95, seed 7: 0.91)",
    }


def test_an_undecided_row_has_no_effect():
    found = decide(claim(at_most=0.25), [], [])
    assert (found["effect"], found["low"], found["high"]) == ("", "", "")
    assert found["evidence"] == "accuracy ood of erm ≤ 0.25 in every seed (no score)"


@pytest.mark.parametrize("bounds", [{}, {"at_least": 0.1, "at_most": 0.9}, {"at_least": 0.0, "at_most": 0.0}])
def test_both_bounds_or_none_are_refused(bounds):
    with pytest.raises(ValueError, match="exactly one of at_least and at_most"):
        claim(**bounds)


def written(tmp_path, **changes) -> Path:
    lines = {**FIELDS, "at_least": 0.9, **changes}
    path = tmp_path / "claims.yaml"
    path.write_text("claims:\n  - " + "\n    ".join(f"{name}: {value}" for name, value in lines.items()) + "\n")
    return path


def test_claims_are_read_from_a_file(tmp_path):
    assert read_claims(written(tmp_path)) == (claim(at_least=0.9),)
    assert read_claims(tmp_path / "none.yaml") == ()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"at_most": 0.95}, r"claims\.0: .*exactly one"),
        ({"at_least": "high"}, r"claims\.0\.at_least: .*got 'high'"),
        ({"at_least": ".nan"}, r"claims\.0\.at_least: .*got nan"),
        ({"name": "Not-good"}, r"claims\.0\.name: .*got 'Not-good'"),
        ({"atleast": 0.9}, r"claims\.0\.atleast: .*got 0\.9"),
    ],
)
def test_a_broken_claim_is_refused_with_file_and_key(tmp_path, changes, where):
    path = written(tmp_path, **changes)
    with pytest.raises(BenchmarkError, match=f"{re.escape(str(path))}: {where}"):
        read_claims(path)
