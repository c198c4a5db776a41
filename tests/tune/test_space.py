import json
import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from benchmark import paths
from benchmark.config import load_method
from benchmark.errors import BenchmarkError
from benchmark.tune.settings import changed, load_search, values_of
from benchmark.tune.space import Search, Values

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "pipelines" / "configs"


def drawn(values: Values, count: int) -> list:
    rng = np.random.default_rng(0)
    return [values.draw(rng) for _ in range(count)]


def test_a_logarithmic_range_is_uniform_in_the_logarithm() -> None:
    numbers = np.array(drawn(Values(low=1e-4, high=1e-1, log=True), 2000))
    law = stats.uniform(math.log(1e-4), math.log(1e-1) - math.log(1e-4))
    assert stats.kstest(np.log(numbers), law.cdf).pvalue > 0.01
    assert stats.kstest(numbers, stats.uniform(1e-4, 1e-1 - 1e-4).cdf).pvalue < 1e-9


def test_a_plain_range_is_uniform() -> None:
    numbers = drawn(Values(low=0.5, high=2.5), 2000)
    assert stats.kstest(numbers, stats.uniform(0.5, 2.0).cdf).pvalue > 0.01


def test_whole_ends_give_whole_numbers_and_both_ends_come() -> None:
    numbers = drawn(Values(low=1, high=4), 2000)
    assert all(type(number) is int for number in numbers)
    assert stats.chisquare(np.bincount(numbers)[1:]).pvalue > 0.01
    assert set(drawn(Values(low=0, high=2), 100)) == {0, 1, 2}


def test_whole_numbers_of_a_logarithmic_range_come_as_often_as_their_share_of_the_logarithm() -> None:
    counts = np.bincount(drawn(Values(low=1, high=7, log=True), 4000))[1:]
    expected = 4000 * np.log2([2, 3 / 2, 4 / 3, 5 / 4, 6 / 5, 7 / 6, 8 / 7]) / 3
    assert stats.chisquare(counts, expected).pvalue > 0.01


def test_one_end_that_is_not_whole_gives_numbers_with_a_point() -> None:
    assert all(type(number) is float for number in drawn(Values(low=1, high=4.0), 50))


def test_each_choice_comes_equally_often() -> None:
    values = drawn(Values(choices=["zero", "blur", None]), 1500)
    assert stats.chisquare([values.count(choice) for choice in ("zero", "blur", None)]).pvalue > 0.01


def test_a_drawn_number_has_three_digits_but_never_leaves_the_range() -> None:
    assert set(drawn(Values(low=0.2999, high=0.3021), 300)) == {0.2999 + 0.0001, 0.301, 0.302}
    assert set(drawn(Values(low=0.33333, high=0.3334), 50)) == {0.33333}  # 0.333 would be below


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"low": 1}, "give low and high, or choices"),
        ({}, "give low and high, or choices"),
        ({"low": 2, "high": 2}, "low must be below high, got 2 and 2"),
        ({"low": 0, "high": 1, "log": True}, "must lie above 0"),
        ({"low": 0, "high": 1, "choices": [1]}, "not both"),
        ({"low": 0, "hihg": 1}, "hihg"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Values(**wrong)


SEARCH = Search.model_validate(
    {
        "space": {
            "training.optimizer.lr": {"low": 1e-3, "high": 1e-1, "log": True},
            "options.kind": {"choices": ["a", "b", "c"]},
        }
    }
)


def test_trial_0_draws_nothing() -> None:
    assert SEARCH.trial("erm", 1000, 0) == {}


def test_a_trial_depends_on_method_seed_and_number_only() -> None:
    assert SEARCH.trial("erm", 1000, 3) == SEARCH.trial("erm", 1000, 3)
    others = ("erm", 1, 1), ("erm", 1, 2), ("erm", 2, 1), ("rrr", 1, 1)
    assert len({SEARCH.trial(*one)["training.optimizer.lr"] for one in others}) == 4


def test_a_setting_more_moves_no_other() -> None:
    more = SEARCH.model_copy(update={"space": {"options.a": Values(low=0, high=9), **SEARCH.space}})
    for number in range(1, 9):
        trial = more.trial("erm", 1000, number)
        assert {name: trial[name] for name in SEARCH.space} == SEARCH.trial("erm", 1000, number)


@pytest.mark.parametrize(
    ("strength", "message"),
    [("options.weight", "must be one of what is searched"), ("options.kind", "must be a number")],
)
def test_a_strength_is_a_searched_number(strength: str, message: str) -> None:
    space = {"options.lambda": {"low": 0, "high": 1}, "options.kind": {"choices": ["a", "b"]}}
    with pytest.raises(ValidationError, match=message):
        Search.model_validate({"strength": strength, "space": space})


RRR = load_method(CONFIGS / "methods" / "rrr.yaml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "options.penalty_wieght: {low: 1, high: 2}",
            r"'options\.penalty_wieght'.*did you mean 'options\.penalty_weight'",
        ),
        ("training.optimizer.rl: {low: 1, high: 2}", r"unknown setting.*did you mean .*'training\.optimizer\.lr'"),
        ("optimizer.lr: {low: 1, high: 2}", r"did you mean .*'training\.optimizer\.lr'"),
        (
            "training.epochs: {low: 1, high: 2}",
            r"got 'training\.epochs'; expected .*need not share",
        ),
        ("options.penalty_weight: {low: -1, high: 2}", r"penalty_weight = -1: .*greater than or equal to 0"),
        ("options.statistics: {choices: [batch, constnat]}", r"statistics = 'constnat'.*'batch' or 'constant'"),
    ],
)
def test_a_search_file_that_does_not_fit_the_method_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "rrr.yaml"
    file.write_text(f"space:\n  {line}\n")
    with pytest.raises(BenchmarkError, match=message):
        load_search(file, RRR)


def test_values_of_a_method_are_those_of_its_yaml_and_its_defaults() -> None:
    values = values_of(RRR)
    assert values["options.penalty_weight"] == RRR.options["penalty_weight"]
    assert values["options.path"] == "none"
    assert values["training.optimizer.momentum"] == 0.9


def test_other_values_leave_the_rest_and_the_original() -> None:
    before = RRR.model_dump_json()
    other = changed(RRR, {"training.optimizer.lr": 0.5, "options.path": "zero"}, "test")
    assert (other.training.optimizer.lr, other.training.optimizer.name) == (0.5, "sgd")
    assert other.options == {**RRR.options, "path": "zero"}
    assert RRR.model_dump_json() == before
    json.dumps(other.options)


@pytest.mark.parametrize("path", sorted((CONFIGS / "search").glob("*.yaml")), ids=lambda path: path.stem)
def test_our_search_files_fit_their_methods_and_vary_the_learning_rate_ninefold(path: Path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    search = load_search(path, load_method(paths.SuitePaths().method_yaml(path.stem)))
    rate = search.space["training.optimizer.lr"]
    assert rate.log
    assert rate.high / rate.low == pytest.approx(9, rel=0.01)
    assert len(search.space) in (2, 3)
