"""The cost of training through heatmaps: peers are what they claim to be, the table and the verdicts read right."""

from __future__ import annotations

import argparse
import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.api import Task
from benchmark.backbone import create_classifier
from benchmark.errors import BenchmarkError
from isnet import lrp
from pipelines import bench
from pipelines.lrp_bench import memory, timing
from pipelines.lrp_bench.blocks import Block, plan
from pipelines.lrp_bench.cases import CASES, Problem, Training, find
from pipelines.lrp_bench.figure import draw
from pipelines.lrp_bench.flex_hooks import FlexHooks
from pipelines.lrp_bench.memory import Job, peaks
from pipelines.lrp_bench.rows import QUANTITIES, Row, read, write
from pipelines.lrp_bench.timing import shortest
from pipelines.lrp_bench.verdicts import verdicts


def trained_looking(network: str, rng: torch.Generator) -> nn.Module:
    """In float64, with no parameter or statistic at the value it is initialised with."""
    torch.manual_seed(0)
    model = create_classifier(Task(network, 10, 3, 64, 64)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
        for name, statistic in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                statistic += torch.rand(statistic.shape, generator=rng, dtype=torch.float64)
    return model


@pytest.mark.parametrize("network", ["test_resnet", "resnet18", "densenet121"])
def test_hooks_on_relus_and_the_graphs_walk_give_one_map(network: str) -> None:
    rng = torch.Generator().manual_seed(1)
    model = trained_looking(network, rng)
    x = torch.rand(2, 3, 64, 64, generator=rng, dtype=torch.float64).requires_grad_()
    target = torch.tensor([3, 7])
    walked = lrp.relevance(model(x), x, target, eps=1e-2)
    _, hooked = FlexHooks(copy.deepcopy(model))(x, target, False)
    assert walked.abs().max() > 0
    assert (walked - hooked).abs().max() <= 1e-12 * walked.abs().max()


def test_the_hooks_second_derivative_is_the_finite_difference() -> None:
    rng = torch.Generator().manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double()
    hooks = FlexHooks(net)
    x = torch.rand(2, 3, 6, 6, generator=rng, dtype=torch.float64).requires_grad_()
    weight, target = net[0].weight, torch.tensor([0, 2])

    def loss() -> torch.Tensor:
        return hooks(x, target, True)[1].square().sum()

    (slope,) = torch.autograd.grad(loss(), weight)
    way = torch.randn(weight.shape, generator=rng, dtype=torch.float64)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * 1e-6 * way
        ends.append(loss().item())
        with torch.no_grad():
            weight -= sign * 1e-6 * way
    assert (slope * way).sum().item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_hooks_refuse_a_network_that_they_would_explain_by_gradient_times_input() -> None:
    with pytest.raises(BenchmarkError, match="no ReLU module"):
        FlexHooks(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.GELU()))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.units is not None])
def test_a_step_leaves_a_gradient_for_every_weight_and_none_for_the_image(name: str) -> None:
    problem = Problem.make("test_resnet", 32, "cpu")
    training = Training(problem, find(name), CASES[name].maps)
    training()
    assert all(weight.grad is not None for weight in training.weights)
    assert problem.image.grad is None


def test_a_lazy_step_runs_its_plain_steps() -> None:
    training = Training(Problem.make("test_resnet", 32, "cpu"), CASES["isnet_lazy"])
    seen: list[bool] = []
    training.network.register_forward_pre_hook(lambda _, images: seen.append(images[0].requires_grad))
    training()
    assert seen == [False, False, True]


def test_every_action_is_timed_in_every_round_and_the_shortest_counts() -> None:
    calls: list[str] = []
    actions = {"a": lambda: calls.append("a"), "b": lambda: (calls.append("b"), sum(range(200_000)))}
    found = shortest(actions, 20, "cpu", random.Random(0))
    assert sorted(calls) == ["a"] * 21 + ["b"] * 21
    pairs = {tuple(calls[at : at + 2]) for at in range(2, 42, 2)}
    assert pairs == {("a", "b"), ("b", "a")}
    assert 0 <= found["a"] < found["b"] < 0.1


def test_peak_memory_counts_what_a_step_allocates() -> None:
    problem = Job("test_resnet", 128, None, 1, "cpu")
    half, whole, heatmap = peaks([problem, problem._replace(px=256), problem._replace(case="isnet_eps")]).values()
    assert 3 < whole / half < 5  # activations grow with the area; the gradients' 1.5 MB are next to nothing
    assert 1.3 < heatmap / half < 4


def test_an_unknown_case_names_the_closest() -> None:
    with pytest.raises(BenchmarkError, match="isnet_eps"):
        list(plan(["resnet18"], [64], ["isnet_ep"], "cpu", 1))


def test_the_first_network_is_measured_at_every_number_of_maps() -> None:
    blocks = list(plan(["resnet18", "densenet121"], [64, 224], list(CASES), "cpu", 4))

    def maps(block: Block) -> set[int]:
        return {count for case, quantity, count in block.keys if case in ("isnet_eps", "isnet_k8")}

    assert [(b.network, b.px, b.rounds, maps(b)) for b in blocks] == [
        ("resnet18", 64, 12, {1, 2, 4, 8}),
        ("resnet18", 224, 4, {1, 2, 4, 8}),
        ("densenet121", 64, 12, {1, 8}),
        ("densenet121", 224, 4, {1}),
        ("resnet18", 128, 4, {1, 2, 4, 8}),
    ]


def row(case: str, value: float, quantity: str = "step_ratio", network: str = "resnet18", classes: int = 1) -> Row:
    return Row(case, network, 64, classes, quantity, value, 5, "cpu", "2.13.0")


@pytest.mark.parametrize(
    ("measured", "word"),
    [
        (row("isnet_eps", 2.3), "met"),
        (row("isnet_eps", 2.301), "MISSED"),
        (row("isnet_eps", float("nan")), "MISSED"),
        (row("isnet_zb", 2.5), "met"),
        (row("isnet_k8", 6.6, classes=8), "MISSED"),
        (row("isnet_lazy", 1.4), "met"),
        (row("isnet_eps", 1.9, "memory_ratio"), "MISSED"),
        (row("isnet_eps", 1.9, "memory_ratio", "densenet121"), "met"),
        (row("isnet_eps", 0.97, "inference_ratio"), "MISSED"),
        (row("isnet_eps", 1.02, "inference_ratio"), "met"),
    ],
)
def test_a_bound_is_met_or_missed(measured: Row, word: str) -> None:
    (line,) = verdicts(
        [measured, row("isnet_eps", 9, classes=2), row("gradinput", 9), row("isnet_eps", 9, network="x")]
    )
    assert line.startswith(word)


def test_a_table_comes_back_sorted(tmp_path: Path) -> None:
    rows = [row("isnet_zb", 2.4), row("isnet_eps", 2.25)]
    write(rows, tmp_path / "bench.csv")
    assert read(tmp_path / "bench.csv") == rows[::-1]
    assert (tmp_path / "bench.csv").read_text().splitlines()[
        1
    ] == "isnet_eps,resnet18,64,1,step_ratio,2.250,5,cpu,2.13.0"


def test_equal_numbers_draw_equal_bytes(tmp_path: Path) -> None:
    rows = [row("isnet_eps", 2.2), row("isnet_eps", 3.1, classes=2), row("gradinput", 2.9)]
    for name in ("a.svg", "b.svg"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`make bench` in this process, whose allocator stays as it is; a plain step needs 100 bytes, any other 250."""
    monkeypatch.setattr(timing, "keep_memory", lambda: None)
    monkeypatch.setattr(memory, "peaks", lambda jobs: {job: 250 if job.case else 100 for job in jobs})

    def start(**options: Any) -> Path:
        table = tmp_path / "out" / "bench.csv"
        given = {"networks": None, "px": None, "cases": None, "rounds": None, "quick": False, "device": "cpu"}
        bench.bench(argparse.Namespace(**given | options, out=table))
        return table

    return start


def test_a_quick_run_writes_a_whole_table_and_a_figure(run: Callable[..., Path]) -> None:
    table = run(quick=True)
    rows = read(table)
    assert {each.case for each in rows} == set(CASES)
    assert {each.quantity for each in rows} == set(QUANTITIES)
    assert all(0.3 < each.value < 50 and each.torch == torch.__version__ for each in rows)
    assert len({(each.case, each.classes, each.quantity) for each in rows}) == len(rows)
    assert [each.value for each in rows if each.quantity == "memory_ratio"] == [2.5]
    assert table.with_name("cost.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("options", [{"networks": ["resnet81"]}, {"cases": ["isnet_epsilon"]}])
def test_a_wrong_name_ends_before_anything_is_measured(run: Callable[..., Path], options: Any, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="did you mean"):
        run(**{"networks": ["test_resnet"], "px": [32]} | options)
    assert list(tmp_path.iterdir()) == []
