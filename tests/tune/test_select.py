"""The rules on hand-made tables."""

import math

import pytest

from benchmark.errors import BenchmarkError
from benchmark.tune.select import Scored, both, iid, oracle, standard_error

NAN = math.nan


def table(*rows: tuple) -> list[Scored]:
    """(strength, images right of 500, loss, balanced accuracy), or the error of a trial that failed."""
    return [
        Scored(number, None, NAN, NAN, NAN, 500, row[0])
        if isinstance(row[0], str)
        else Scored(number, row[0], row[1] / 500, row[2], row[3], 500)
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("right", "images", "error"),
    [(500, 500, 0.0028004), (0, 500, 0.0028004), (450, 500, 0.0135496), (8, 8, 0.1076)],
)
def test_the_standard_error_adds_two_right_and_two_wrong_images(right: int, images: int, error: float) -> None:
    assert standard_error(right / images, images) == pytest.approx(error, rel=1e-3)


def test_for_many_images_it_is_the_binomial_one() -> None:
    assert standard_error(0.3, 10**7) == pytest.approx(math.sqrt(0.3 * 0.7 / 10**7), rel=1e-5)


def test_within_one_standard_error_the_strongest_wins() -> None:
    # Best 450 of 500: one standard error is 0.01355, 6.8 images.
    trials = table((1.0, 450, 0.1, 0.2), (3.0, 444, 0.9, 0.2), (9.0, 443, 0.1, 0.2))
    assert iid(trials).trial == 1


def test_strength_may_grow_downwards() -> None:
    trials = table((1.0, 450, 0.9, 0.2), (3.0, 450, 0.1, 0.2), (0.5, 400, 0.1, 0.2))
    assert iid(trials, "down").trial == 0
    assert iid(trials, "up").trial == 1


def test_without_a_strength_the_lowest_loss_wins_even_over_the_best_accuracy() -> None:
    trials = table((None, 450, 0.30, 0.2), (None, 448, 0.25, 0.2), (None, 430, 0.10, 0.2))
    assert iid(trials).trial == 1


def test_of_two_equally_strong_the_lower_loss_wins_and_then_the_first() -> None:
    assert iid(table((2.0, 450, 0.3, 0.2), (2.0, 449, 0.2, 0.2))).trial == 1
    assert iid(table((2.0, 450, 0.3, 0.2), (2.0, 450, 0.3, 0.9))).trial == 0


def test_at_accuracy_1_one_error_more_is_nothing_and_two_are_something() -> None:
    trials = table((1.0, 500, 0.1, 0.2), (2.0, 499, 0.1, 0.2), (9.0, 498, 0.1, 0.2))
    assert iid(trials).trial == 1


def test_the_strength_0_of_a_method_without_its_term_is_a_strength() -> None:
    assert iid(table((0.0, 500, 0.1, 0.2), (0.5, 500, 0.2, 0.2))).trial == 1
    assert iid(table((0.0, 500, 0.2, 0.2), (0.5, 500, 0.1, 0.2)), "down").trial == 0


def test_iid_does_not_look_at_images_without_bias() -> None:
    rows = [(1.0, 450, 0.3), (2.0, 449, 0.2), (3.0, 300, 0.1)]
    for balanced in ([0.1, 0.2, 0.9], [0.9, 0.1, 0.0]):
        assert iid(table(*((*row, b) for row, b in zip(rows, balanced, strict=True)))).trial == 1


def test_the_oracle_looks_at_nothing_else() -> None:
    assert oracle(table((1.0, 500, 0.1, 0.3), (2.0, 100, 9.0, 0.7), (3.0, 400, 0.1, 0.7))).trial == 1


def test_a_trial_that_failed_is_never_chosen_and_does_not_count_as_0() -> None:
    trials = table(("not finite",), (1.0, 50, 3.0, 0.1), ("not finite",))
    assert iid(trials).trial == oracle(trials).trial == 1
    assert both(trials) == {1: "iid+oracle"}


def test_both_rules_name_their_trials() -> None:
    assert both(table((1.0, 500, 0.1, 0.3), (2.0, 400, 0.1, 0.9))) == {0: "iid", 1: "oracle"}


@pytest.mark.parametrize("rule", [iid, oracle])
def test_if_all_trials_failed_the_reason_of_the_first_is_told(rule) -> None:
    trials = table(("the loss is not finite",), ("killed",))
    with pytest.raises(BenchmarkError, match=r"no trial has a score; got 'the loss is not finite'"):
        rule(trials)
    assert both(trials) == {}
