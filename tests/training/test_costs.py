import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import TRAINING
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from baselines.isnet import ISNet
from benchmark.api import Batch, Method, Phase
from benchmark.config import Training, parse
from benchmark.costs import COLUMNS, TIMED, Recipe, Steps, interleaved, measure, median_ratio, rounded
from benchmark.memory import environment
from benchmark.report.costs import COLUMNS as REPORTED
from benchmark.training.data import Sets, load_sets

SETTINGS = parse(Training, {**TRAINING, "epochs": 4}, "test")


@pytest.fixture(scope="module")
def sets(pack: Path) -> Sets:
    return load_sets(pack, ERM.needs)


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(100))


def test_times_are_those_of_the_actions_whatever_the_first_call_costs() -> None:
    calls: list[str] = []

    def slow_start() -> None:
        busy(0.05 if "b" not in calls else 0.02)
        calls.append("b")

    found = interleaved({"a": lambda: (busy(0.01), calls.append("a")), "b": slow_start}, rounds=3)
    assert [len(times) for times in found.values()] == [3, 3]
    assert 0.01 <= found["a"].min() < 0.018
    assert 0.02 <= found["b"].min() < 0.035


def test_every_round_has_all_actions_once_and_no_order_is_favoured() -> None:
    calls: list[str] = []
    names = "abc"
    interleaved({name: lambda name=name: calls.append(name) for name in names}, rounds=300)
    rounds = ["".join(calls[start : start + 3]) for start in range(3, len(calls), 3)]
    assert len(rounds) == 300
    counts = Counter(rounds)
    assert {"".join(sorted(order)) for order in counts} == {names}
    assert len(counts) == 6 and min(counts.values()) > 25  # 50 expected each, standard deviation 6.5


def test_the_interval_of_a_median_lies_between_two_of_the_ratios_in_order() -> None:
    # P(Binomial(10, 1/2) <= 1) = 11 / 1024 < 0.025 < P(... <= 2): the second and the ninth of ten
    ratios = np.array([7.0, 3, 10, 1, 5, 9, 2, 8, 6, 4])
    reference = np.linspace(1, 2, 10)  # a machine that slows down is slow for both
    assert median_ratio(ratios * reference, reference) == pytest.approx((5.5, 2, 9))
    # of fifty, the eighteenth and the thirty-third: P(Binomial(50, 1/2) <= 17) = 0.0164, <= 18: 0.0325
    assert median_ratio(np.arange(1.0, 51), np.ones(50)) == (25.5, 18, 33)


def test_a_few_rounds_have_a_median_and_no_bounds() -> None:
    value, low, high = median_ratio(np.array([1.0, 2, 3, 4, 5]), np.ones(5))
    assert value == 3
    assert np.isnan([low, high]).all()
    assert median_ratio(np.arange(1.0, 7), np.ones(6)) == (3.5, 1, 6)  # 2 / 64 < 0.05


def test_bounds_are_rounded_outwards_so_that_no_claim_passes_by_rounding() -> None:
    assert rounded((0.99951, 0.9796, 1.0201)) == (1.0, 0.979, 1.021)
    assert rounded((1.0, 1.0, 1.0)) == (1.0, 1.0, 1.0)
    assert np.isnan(rounded((1.0, np.nan, np.nan))[1:]).all()


@settings(max_examples=30)
@given(st.integers(6, 60), st.integers(0, 2**32 - 1))
def test_the_interval_holds_the_median_and_turns_with_the_ratio(rounds: int, seed: int) -> None:
    ours, theirs = np.random.default_rng(seed).uniform(1, 3, (2, rounds))
    value, low, high = median_ratio(ours, theirs)
    assert low <= value <= high
    _, inverse_low, inverse_high = median_ratio(theirs, ours)
    assert (1 / high, 1 / low) == pytest.approx((inverse_low, inverse_high))


class Busy(Method):
    """Two phases of known length: 1 epoch of 0.02 s a step, then all epochs of 0.01 s a step."""

    source = "this test"

    def build(self, task: object) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 3))

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("long", 1, lambda *a: self.take(0.02, *a)), Phase("short", epochs, self.loss))

    def take(self, seconds: float, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        busy(seconds)
        return {"loss": cross_entropy(network(batch.image), batch.label)}

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return self.take(0.01, network, batch, rng)


class Half(Busy):
    """One phase, 0.01 s a step."""

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("train", epochs, self.loss),)


def test_a_phase_more_counts_with_its_epochs(sets: Sets) -> None:
    recipes = {name: Recipe(kind(kind.Settings()), SETTINGS) for name, kind in (("half", Half), ("busy", Busy))}
    half, busy_row = measure(recipes, sets, 160, {"half": 10, "busy": 25}, rounds=6)
    assert set(half) == set(COLUMNS) and COLUMNS[:7] == REPORTED
    for name in TIMED:
        assert half[f"{name}_low"] == half[f"{name}_high"] == 1.0
        assert busy_row[f"{name}_low"] <= busy_row[name] <= busy_row[f"{name}_high"]
    assert half["step_ratio"] == half["memory_ratio"] == half["inference_ratio"] == 1.0
    assert busy_row["step_ratio"] == pytest.approx((1 * 0.02 + 4 * 0.01) / (4 * 0.01), rel=0.1)
    assert busy_row["memory_ratio"] == 2.5
    assert half["train_seconds"] == pytest.approx(4 * 10 * 0.01, abs=0.1)  # 160 images are 10 batches of 16
    assert busy_row["params"] == 28 * 28 * 3 + 3


def test_an_isnet_costs_more_to_train_and_nothing_more_to_run(sets: Sets) -> None:
    recipes = {"erm": Recipe(ERM(ERM.Settings()), SETTINGS), "isnet": Recipe(ISNet(ISNet.Settings()), SETTINGS)}
    erm, isnet = measure(recipes, sets, 96, {"erm": 1, "isnet": 1}, rounds=6)
    assert erm["step_ratio"] == erm["inference_ratio"] == 1.0
    assert float(str(isnet["step_ratio"])) > 1.5
    assert 0.7 < float(str(isnet["inference_ratio"])) < 1.4
    assert erm["params"] == isnet["params"]
    assert isnet["needs"] == "training masks"


def test_a_step_leaves_gradients_and_release_takes_them(sets: Sets) -> None:
    steps = Steps(Recipe(ERM(ERM.Settings()), SETTINGS), sets)
    steps()
    weights = list(steps.fit.plain.parameters())
    assert all(weight.grad is not None for weight in weights)
    steps.release()
    assert all(weight.grad is None for weight in weights)


def test_peak_memory_is_that_of_the_action_and_not_of_what_was_there() -> None:
    program = (
        "from benchmark.memory import peak\n"
        "before, held = bytearray(40_000_000), []\n"
        "print(peak(lambda: held.append(bytearray(b'x') * 30_000_000) or held.clear(), lambda: None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == pytest.approx(30_000_000, rel=0.1)
