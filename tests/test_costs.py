import time

import torch

from baselines.erm import ERM
from baselines.isnet import ISNet
from benchmark.api import Batch, Task
from benchmark.costs import interleaved, measure


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
    assert calls[2:6] == ["a", "b", "a", "b"]
    assert 0.01 <= found["a"] < 0.018
    assert 0.02 <= found["b"] < 0.035


def test_an_isnet_costs_more_to_train_and_nothing_more_to_run() -> None:
    mask = torch.zeros(8, 1, 28, 28)
    mask[:, :, 8:20, 8:20] = 1
    batch = Batch(torch.rand(8, 1, 28, 28), torch.arange(8) % 3, mask)
    methods = {"erm": ERM(ERM.Settings()), "isnet": ISNet(ISNet.Settings())}
    erm, isnet = measure(methods, Task("test_resnet", 3, 1, 28, 28), batch, rounds=5)
    assert erm["step_ratio"] == erm["inference_ratio"] == 1.0
    assert float(str(isnet["step_ratio"])) > 1.5
    assert 0.7 < float(str(isnet["inference_ratio"])) < 1.4
    assert erm["params"] == isnet["params"]
    assert isnet["needs"] == "training masks"
