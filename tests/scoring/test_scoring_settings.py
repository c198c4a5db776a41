import pytest

from benchmark.config import load, parse
from benchmark.errors import BenchmarkError
from benchmark.paths import SuitePaths
from benchmark.registry import EXPLAINERS
from benchmark.scoring.settings import HEADLINE, JUDGE, Scoring, suffix


def asked(**explainers):
    return {"explainers": {JUDGE: {}} | explainers}


def test_every_suite_has_settings_that_hold_the_judge():
    for suite in ("default", "methods", "minority", "architectures", "dose", "hacking", "mnist", "tb", "tb_gpu", "covid", "covid_gpu"):
        settings = load(Scoring, SuitePaths(suite).scoring_yaml)
        assert JUDGE in settings.explainers


def test_the_default_suite_asks_every_explainer_of_ours():
    built_in = {name for name in EXPLAINERS if EXPLAINERS.entry(name).origin == "built-in"}
    assert set(load(Scoring, SuitePaths().scoring_yaml).explainers) == built_in


def test_the_judge_has_no_ending_and_lrp_a_short_one():
    assert [suffix(name) for name in (JUDGE, "lrp_epsilon", "grad_cam")] == ["", "_lrp", "_grad_cam"]


def test_as_many_images_are_looked_at_as_the_largest_question_needs():
    assert HEADLINE.images == 100
    assert parse(Scoring, asked(occlusion={"images": 7}) | {"behaviour": 300}, "here").images == 300


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"explainers": {"lrp_epsilon": {}}}, "'integrated_gradients' is missing: it is the judge"),
        (asked(grad_cam={"variants": ["iid", "odd"]}), "'odd' is no variant: expected iid, ood, deceiving, external"),
        (asked(**{JUDGE: {"variants": ["ood"]}}), "variants of 'integrated_gradients' lack 'iid'"),
        (asked(grad_kam={}), "grad_cam"),
        (asked(grad_cam={"images": 0}), "greater than or equal to 1"),
        (asked() | {"behavior": 3}, "behavior"),
    ],
)
def test_wrong_settings_are_told(content, match):
    with pytest.raises(BenchmarkError, match=match):
        parse(Scoring, content, "scoring.yaml")
