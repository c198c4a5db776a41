"""claims.yaml: what is read, and that what is wrong is named."""

import re
from pathlib import Path

import pytest
from claim_cases import claim
from ruamel.yaml import YAML

from benchmark.claims import KINDS, read_claims
from benchmark.errors import BenchmarkError

BASE = {
    "name": "robust",
    "sentence": "It reads the digit",
    "source": "a test",
    "test": "every_seed",
    "dataset": "mnist5k",
    "bias": "corner",
    "method": "isnet",
    "variant": "deceiving",
    "metric": "accuracy",
    "at_least": 0.9,
}
SUPERIOR = {"test": "superiority", "at_least": None, "against": "erm"}
WITHIN = {"test": "equivalence", "at_least": None, "margin": 0.05}
COST = {"test": "ratio", "at_least": None, "at_most": 1.0, "column": "params"}
COST |= dict.fromkeys(("dataset", "bias", "variant", "metric"))


def written(tmp_path, *claims) -> Path:
    """Claims as changes of ``BASE``; ``None`` leaves a key out."""
    path = tmp_path / "claims.yaml"
    entries = [{key: value for key, value in (BASE | changes).items() if value is not None} for changes in claims]
    with path.open("w") as stream:
        YAML(typ="safe", pure=True).dump({"claims": entries}, stream)
    return path


def test_claims_are_read_by_the_class_of_their_test(tmp_path):
    found = read_claims(written(tmp_path, {}, {"name": "better", **SUPERIOR}, {"name": "small", **COST}))
    assert found == (
        claim("every_seed", at_least=0.9),
        claim("superiority", name="better", against="erm"),
        claim("ratio", name="small", column="params", at_most=1.0),
    )
    assert read_claims(tmp_path / "none.yaml") == ()


def test_what_is_left_out_has_a_default(tmp_path):
    (found,) = read_claims(written(tmp_path, SUPERIOR))
    assert (found.alpha, found.margin, found.in_family) == (0.05, 0.0, "robust")
    (cost,) = read_claims(written(tmp_path, COST))
    assert cost.against == ("erm",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"at_most": 0.95}, "exactly one of at_least and at_most"),
        ({"at_least": None}, "exactly one of at_least and at_most"),
        ({"at_least": 0.0, "at_most": 0.0}, "exactly one of at_least and at_most"),
        ({"at_least": "high"}, "at_least: .*got 'high'"),
        ({"at_least": float("nan")}, "at_least: .*got nan"),
        ({"at_least": True}, "at_least: .*got True"),
        ({**WITHIN, "margin": True}, "margin: .*got True"),
        ({**SUPERIOR, "against": "isnet"}, "'isnet' is in method and in against"),
        ({**WITHIN, "against": "isnet"}, "'isnet' is in method and in against"),
        ({**COST, "method": "erm"}, "'erm' is in method and in against"),  # the default
        ({"name": "Not-good"}, "name: .*got 'Not-good'"),
        ({"atleast": 0.9}, r"atleast: .*got 0\.9.*expected keys among name, .*at_least"),
        ({"metric": None}, "metric: Field required"),
        ({"alpha": 0.01}, "alpha: Extra inputs"),  # no p-value decides it
        ({"test": None}, "has no test; expected test: one of every_seed, bound"),
        ({"test": "superiorty"}, "got 'superiorty'.*did you mean 'superiority'"),
        ({"test": ["bound"]}, r"got \['bound'\]"),
        ({**SUPERIOR, "against": None}, "against: Field required"),
        ({**SUPERIOR, "margin": -0.1}, r"margin: .*got -0\.1"),
        ({**SUPERIOR, "alpha": 0}, "alpha: .*got 0"),
        ({**SUPERIOR, "against": []}, "against: "),
        ({**SUPERIOR, "against": ["erm", "vit"]}, r"write \{against\} in it"),
        ({**SUPERIOR, "against": "rivals"}, r"write \{against\} in it"),
        ({**SUPERIOR, "against": ["erm", "erm"]}, "names something twice"),
        ({"method": ["erm", "isnet"]}, r"write \{method\} in it"),
        ({"sentence": "It beats {rival}"}, "a place for 'rival', expected dataset, bias, method"),
        ({**WITHIN, "margin": None}, "margin: Field required"),
        ({**WITHIN, "margin": 0}, "margin: .*got 0"),
        ({**WITHIN, "test": "non_inferiority"}, "against: Field required"),
        ({**COST, "at_most": None}, "at_least, at_most or both"),
        ({**COST, "at_least": 2.0}, "at_least is greater than at_most"),
        ({**COST, "column": "needs"}, "column: .*got 'needs'"),
        ({**COST, "dataset": "mnist5k"}, "dataset: Extra inputs"),  # costs are of a suite
        ({"dataset": "no-good"}, "dataset.*got 'no-good'"),
    ],
)
def test_a_broken_claim_is_refused_with_file_claim_and_key(tmp_path, changes, told):
    path = written(tmp_path, {"name": "fine"}, changes)
    with pytest.raises(BenchmarkError, match=f"{re.escape(str(path))}: claim 1 .*{told}"):
        read_claims(path)


def test_a_name_is_given_once(tmp_path):
    with pytest.raises(BenchmarkError, match="claim 'robust' is there 2 times"):
        read_claims(written(tmp_path, {}, SUPERIOR))


def test_a_family_has_one_level(tmp_path):
    first = {"name": "first", "family": "ours", **SUPERIOR}
    path = written(tmp_path, first, {"name": "second", "family": "ours", "alpha": 0.01, **WITHIN})
    with pytest.raises(BenchmarkError, match=r"alpha of claim 'second'; got 0\.01; expected 0\.05, .*family 'ours'"):
        read_claims(path)
    assert len(read_claims(written(tmp_path, first, {"name": "second", "family": "ours", **WITHIN}))) == 2


@pytest.mark.parametrize("text", ["claims: fine\n", "claim: []\n", "claims: [fine]\n", "- 1\n"])
def test_what_is_no_list_of_claims_is_refused(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=re.escape(str(path))):
        read_claims(path)


def test_there_is_a_class_for_each_test():
    assert {kind.model_fields["test"].annotation.__args__ for kind in KINDS.values()} == {(name,) for name in KINDS}
