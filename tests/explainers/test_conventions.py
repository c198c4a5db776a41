import subprocess
import sys

import pytest

from benchmark.explainers.conventions import EXPLAINER_FACTS
from benchmark.registry import EXPLAINERS, METHODS


def test_every_explainer_of_the_suite_declares_its_conventions():
    ours = {name for name, entry in EXPLAINERS.table().items() if entry.origin == "built-in"}
    assert set(EXPLAINER_FACTS) == ours


@pytest.mark.parametrize("name", sorted(EXPLAINER_FACTS))
def test_no_field_is_empty(name):
    facts = EXPLAINER_FACTS[name]
    assert all([facts.words, facts.sign, facts.upsampling, facts.baseline, facts.source])


def test_whoever_says_to_be_trained_through_an_explainer_is_listed_there():
    through = {name: METHODS.get(name).trained_through for name in METHODS}
    found = {name: each for name, each in through.items() if each is not None}
    assert found["isnet"] == "lrp_epsilon"
    for method, explainer in found.items():
        assert method in EXPLAINER_FACTS[explainer].trained_by


def test_only_methods_are_listed_as_trained():
    for facts in EXPLAINER_FACTS.values():
        assert set(facts.trained_by) <= set(METHODS)
        assert facts.independent_of_training == (facts.trained_by == ())


def test_the_judge_and_its_seconds_are_independent_of_training():
    independent = {name for name, facts in EXPLAINER_FACTS.items() if facts.independent_of_training}
    assert independent >= {"integrated_gradients", "gradient_shap", "occlusion"}
    assert not independent & {"lrp_epsilon", "grad_cam"}


def test_the_table_is_read_without_torch():
    probe = "import sys, benchmark.explainers.conventions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False, timeout=60).returncode == 0
