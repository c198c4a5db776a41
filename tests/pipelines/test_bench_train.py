"""How fast the harness trains: the loops that are compared do the same, the table and the verdicts read right."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from repository import ROOT
from torch import nn

from benchmark.errors import BenchmarkError
from benchmark.seeding import torch_stream
from benchmark.training.fit import Fit
from pipelines import bench_train
from pipelines.train_bench import compiled, gpu, page
from pipelines.train_bench.bare import Bare, free, own_loss, plain_loss, ready
from pipelines.train_bench.block import unfilled
from pipelines.train_bench.peers import PEERS
from pipelines.train_bench.problem import Shape, fit_of, recipe_of
from pipelines.train_bench.quantities import told
from pipelines.train_bench.rows import Row, intervals, read, write
from pipelines.train_bench.seeds import Together
from pipelines.train_bench.timing import sampled
from pipelines.train_bench.verdicts import verdicts

SHAPE = Shape("test_resnet", 28, 8, steps=3, channels=1, classes=4)


def begun(method: str, seed: int = 0) -> Fit:
    """A training of a constant learning rate, large enough to tell one update from none."""
    recipe = recipe_of(method, SHAPE)
    changes = {"schedule": "constant", "clip_norm": 0.5}
    return fit_of(replace(recipe, training=recipe.training.model_copy(update=changes)), SHAPE, "cpu", seed)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


@pytest.mark.parametrize("method", ["erm", "isnet", "rrr", "bg_swap", "isnet_path"])  # by SGD, the last by AdamW
def test_the_bare_loop_ends_in_the_bits_of_the_harnesss(method: str) -> None:
    fit = begun(method)
    bare = Bare(fit, ready(fit), plain_loss if method == "erm" else own_loss(fit))
    start = weights(fit.plain)
    with torch.random.fork_rng():
        rng = torch_stream(fit.seed, "method", 0)
        with free():
            losses = [bare.step(batch, rng).item() for batch in bare.batches]
        row = fit.train_epoch()
    assert row["train_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    assert torch.equal(weights(bare.network), weights(fit.plain))
    assert (weights(fit.plain) - start).abs().max() > 1e-3


def test_seeds_together_are_trained_as_each_alone() -> None:
    fits = [begun("erm", seed) for seed in range(3)]
    alone = [Bare(fit, ready(fit), plain_loss) for fit in fits]
    together = Together(fits, [ready(fit) for fit in fits])
    together()
    for each in alone:
        each()
    expected = torch.stack([torch.stack(each.losses) for each in alone], 1)
    assert torch.stack(together.losses).numpy() == pytest.approx(expected.numpy(), rel=1e-4)
    assert expected.std(1).min() > 0.001
    found = torch.cat([stack.detach().flatten(1) for stack in together.weights.values()], 1)
    assert (found - torch.stack([weights(each.network) for each in alone])).abs().max() < 1e-4


def test_another_layout_trains_the_same_network() -> None:
    fit = begun("erm")
    last, first = (Bare(fit, ready(fit), plain_loss, f) for f in (torch.channels_last, torch.contiguous_format))
    for each in (last, first):
        each()
    assert torch.stack(last.losses).numpy() == pytest.approx(torch.stack(first.losses).numpy(), rel=1e-4)


@pytest.mark.parametrize("method", PEERS)
def test_the_authors_step_reaches_every_weight(method: str) -> None:
    fit = begun(method)
    theirs = Bare(fit, ready(fit)[:1], plain_loss)
    theirs.loss = PEERS[method](theirs.network)
    theirs()
    assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in theirs.weights)
    assert math.isfinite(theirs.losses[0].item())


def test_the_authors_rrr_is_ours_but_for_the_square_of_the_batch() -> None:
    fit = begun("rrr")
    (batch,) = ready(fit)[:1]
    ours = fit.phase.loss(fit.plain, batch, torch.Generator())
    theirs = PEERS["rrr"](fit.plain)(fit.plain, batch, torch.Generator())
    logits = fit.plain(batch.image)
    entropy = nn.functional.cross_entropy(logits, batch.label)
    weight = fit.method.settings.penalty_weight  # type: ignore[attr-defined]
    per_image = (ours["loss"] - entropy) / weight  # a mean over images of squares of the sum's slope
    assert ((theirs - entropy) / 1e-3).item() == pytest.approx(per_image.item() / len(batch.label), rel=1e-3)


def test_bare_loops_leave_the_switch_of_deterministic_algorithms_as_it_was() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with free():
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("method", ["erm", "isnet"])
def test_the_fill_of_fresh_memory_changes_no_bit(method: str) -> None:
    filled, not_filled = begun(method), begun(method)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        filled.train_epoch()
        unfilled(not_filled.train_epoch)()
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(weights(filled.plain), weights(not_filled.plain))


def test_as_many_rounds_are_timed_as_fit_and_no_fewer_than_the_least() -> None:
    now = 0.0

    def clock() -> float:
        return now

    def work() -> None:
        nonlocal now
        now += 2.0

    assert sampled({"a": work, "b": work}, clock, 0.0, least=6)["b"].tolist() == [2.0] * 6
    assert len(sampled({"a": work}, clock, 100.0)["a"]) == 100


def test_ratios_are_medians_over_rounds_and_more_is_faster() -> None:
    one = np.array([1.0, 2.0, 4.0, 1.0, 1.0, 1.0])
    seconds = {
        ("erm", "fit"): 2 * one,
        ("erm", "bare"): one,
        ("erm", "contiguous"): 1.5 * one,
        ("erm", "seeds_3"): 4 * one,
        ("rrr", "fit"): 6 * one,
        ("rrr", "bare"): 3 * one,
        ("rrr", "authors"): 9 * one,
    }
    found = {(method, quantity): value for method, quantity, value in told(seconds, batch=8)}
    assert found["erm", "images_per_s"] == 4.0
    assert (found["erm", "images_per_s_low"], found["erm", "images_per_s_high"]) == (1.0, 4.0)
    assert found["erm", "images_per_s_best"] == 4.0
    assert found["erm", "bare_images_per_s"] == 8.0
    assert found["erm", "fit_to_bare"] == found["rrr", "fit_to_bare"] == 0.5
    assert found["erm", "channels_last_gain"] == 1.5
    assert found["erm", "seeds_3_gain"] == 0.25
    assert found["rrr", "step_ratio"] == 3.0
    assert found["rrr", "authors_step_ratio"] == 9.0
    assert found["rrr", "fit_to_authors"] == 1.5
    beside = {method for method, _, _ in told(seconds, 8, beside=[key for key in seconds if key[0] == "erm"])}
    assert beside == {"rrr"}


def row(quantity: str, value: float, method: str = "erm") -> Row:
    return Row(method, "resnet18", 28, 32, quantity, value, 9, "cpu", 1, "2.13.0")


def three(quantity: str, value: float, low: float, high: float) -> list[Row]:
    return [row(quantity, value), row(f"{quantity}_low", low), row(f"{quantity}_high", high)]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (three("fit_to_bare", 0.97, 0.95, 0.99), "met"),
        (three("fit_to_bare", 0.97, 0.94, 0.99), "open"),
        (three("fit_to_bare", 0.94, 0.92, 0.96), "open"),
        (three("fit_to_bare", 0.94, 0.92, 0.949), "MISSED"),
        (three("fit_to_bare", 0.99, math.nan, math.nan), "open"),
        (three("fit_to_bare", math.nan, math.nan, math.nan), "open"),
        (three("fit_to_authors", 1.3, 1.1, 1.4), "met"),
        (three("fit_to_authors", 0.9, 0.8, 0.99), "MISSED"),
    ],
)
def test_a_bound_is_met_or_missed_where_the_whole_interval_says_so(rows: list[Row], word: str) -> None:
    (line,) = verdicts([*rows, row("images_per_s", 9.0), row("bf16_gain", 0.1)])
    assert line.startswith(word)


def test_a_table_comes_back_sorted_with_nothing_for_what_was_not_measured(tmp_path: Path) -> None:
    rows = [row("images_per_s", 812.5), row("compile_seconds", math.nan), row("fit_to_bare", 0.97, "bg_swap")]
    write(rows, tmp_path / "bench.csv")
    lines = (tmp_path / "bench.csv").read_text().splitlines()
    assert lines == [
        "method,backbone,px,batch,quantity,value,repeats,device,threads,torch",
        "bg_swap,resnet18,28,32,fit_to_bare,0.97,9,cpu,1,2.13.0",
        "erm,resnet18,28,32,compile_seconds,,9,cpu,1,2.13.0",
        "erm,resnet18,28,32,images_per_s,812.5,9,cpu,1,2.13.0",
    ]
    assert [each.quantity for each in read(tmp_path / "bench.csv")] == [
        "fit_to_bare",
        "compile_seconds",
        "images_per_s",
    ]


def test_the_page_gets_its_tables_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "speed.md"
    path.write_text(f"# Speed\n\n{page.BEGIN}\nold\n{page.END}\n\nThe end.\n", encoding="utf-8")
    page.refresh([*three("fit_to_bare", 0.961, 0.95, 0.972), *three("images_per_s", 812.4, 800, 820)], path)
    text = path.read_text(encoding="utf-8")
    assert "| `erm` | 812 [800, 820] | 0.961 [0.950, 0.972] |  |  | 1.0 |  |" in text
    assert "old" not in text
    assert text.startswith("# Speed\n")
    assert text.endswith("The end.\n")
    path.write_text("# Speed\n", encoding="utf-8")
    with pytest.raises(BenchmarkError, match="no place for its tables"):
        page.refresh([], path)


def test_the_published_page_shows_the_published_table() -> None:
    rows = read(ROOT / page.TABLE)
    assert "\n".join(page.tables(rows)).strip() in (ROOT / page.PAGE).read_text(encoding="utf-8")


def test_where_there_is_no_gpu_its_use_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, why = gpu.utilisation(lambda: None, "cpu")
    assert math.isnan(busy)
    assert why == "no GPU"
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert "pynvml" in gpu.utilisation(lambda: None, "cuda")[1]


def test_without_a_compiler_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiled.missing() == "there is no C++ compiler"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`make bench-train` in this process, whose threads and algorithms stay as they are."""
    monkeypatch.setattr(bench_train, "limit_threads", lambda threads: None)

    def start(**options: Any) -> Path:
        table = tmp_path / "out" / "bench.csv"
        given = {"methods": None, "backbones": None, "px": None, "batch": None, "device": "cpu", "threads": 1}
        given |= {"seconds": 0.01, "no_compile": False, "quick": True}
        bench_train.bench(argparse.Namespace(**given | options, out=table))
        return table

    return start


def test_a_quick_run_writes_every_column_and_loop(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    table = run(batch=4)
    with table.open(encoding="utf-8") as stream:
        assert csv.DictReader(stream).fieldnames == [
            *("method", "backbone", "px", "batch", "quantity"),
            *("value", "repeats", "device", "threads", "torch"),
        ]
    found = {(each.method, each.quantity): each for each in intervals(read(table))}
    assert {each.place[1:] for each in found.values()} == {("test_resnet", 28, 4, "cpu", 1)}
    wanted = {"images_per_s", "fit_to_bare", "step_ratio"}
    assert wanted | {"channels_last_gain", "bf16_gain", "fit_to_bare_no_shift"} <= {q for m, q in found if m == "erm"}
    assert wanted | {"fit_to_authors", "authors_step_ratio"} <= {q for m, q in found if m == "isnet"}
    assert all(each.value > 0 and each.torch == torch.__version__ for each in found.values())
    assert "Not measured: GPU utilisation: no GPU." in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"backbones": ["resnet81"]}, {"methods": ["isnett"]}])
def test_a_wrong_name_ends_before_anything_is_measured(run: Callable[..., Path], options: Any, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="did you mean"):
        run(**options)
    assert list(tmp_path.iterdir()) == []
