"""A method's YAML with other values: a person's file stays a person's file."""

import pytest
from ruamel.yaml import YAML

from benchmark.errors import BenchmarkError
from benchmark.tune.write import with_values

TEXT = """\
# Why this file is as it is.
version: 1

training:
  backbone: 'test_resnet'  # quoted
  epochs: 10
  optimizer: {name: sgd, lr: 5e-2}  # one line
  clip_norm: 1.0

options:
  # the paper's
  penalty_weight: 1e-2  # lambda
  statistics: batch
"""


def test_values_change_and_everything_else_stays() -> None:
    changed = with_values(TEXT, {"training.optimizer.lr": 0.0321, "options.penalty_weight": 2.5e-05}, "trial 3")
    expected = TEXT.replace("5e-2}  #", "0.0321} #").replace("1e-2  #", "2.5e-05 #")  # the comments keep their columns
    assert changed == "# Tuned: trial 3\n" + expected


def test_without_values_only_the_note_is_new() -> None:
    assert with_values(TEXT, {}, "trial 0") == "# Tuned: trial 0\n" + TEXT


def test_a_second_tuning_takes_the_place_of_the_first_note() -> None:
    once = with_values(TEXT, {"options.penalty_weight": 0.5}, "trial 3")
    assert with_values(once, {"options.penalty_weight": 0.7}, "trial 1") == with_values(
        TEXT, {"options.penalty_weight": 0.7}, "trial 1"
    )


@pytest.mark.parametrize("options", ["", "options:\n", "options: {}\n"])
def test_a_block_that_is_missing_or_empty_is_made(options: str) -> None:
    text = TEXT[: TEXT.index("options:")] + options
    changed = with_values(text, {"options.a": 3, "training.optimizer.weight_decay": 1e-6}, "trial 1")
    read = YAML(typ="safe", pure=True).load(changed)
    assert read["options"] == {"a": 3}
    assert read["training"]["optimizer"] == {"name": "sgd", "lr": 0.05, "weight_decay": 1e-6}


def test_a_value_that_would_not_come_back_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="Write the values by hand"):
        with_values(TEXT, {"options.penalty_weight": float("nan")}, "trial 3")
