"""Trainings of several phases: what each starts from, trains, draws and ends with, and that a resumed one agrees."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import TRAINING, make_job
from lightning_fabric import Fabric
from scipy.stats import chisquare
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baselines.erm import ERM
from benchmark.api import Batch, Data, Method, Needs, Phase, Task
from benchmark.config import Training, parse
from benchmark.data.pack import read_columns
from benchmark.data.pack_write import write_columns
from benchmark.errors import BenchmarkError
from benchmark.training import checkpoint
from benchmark.training import seed as seed_module
from benchmark.training.data import load_sets
from benchmark.training.fit import Fit

TASK = Task("test_resnet", 3, 1, 28, 28, 96)


class Pair(nn.Module):
    """Two classifiers and a note of what a phase found."""

    def __init__(self, first: nn.Module, second: nn.Module, images: int) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.found: Tensor
        self.register_buffer("found", torch.zeros(images))

    def forward(self, x: Tensor, which: str = "second") -> Tensor:
        logits: Tensor = getattr(self, which)(x)
        return logits


class TwoStep(Method):
    """Trains a first classifier, notes which images it gets wrong, and trains a second one on draws by the note."""

    source = "this test"
    begun: int = 0

    def build(self, task: Task) -> nn.Module:
        return Pair(super().build(task), super().build(task), task.images)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (
            Phase("first", 2, self.first_loss, trained=lambda network: network.first.parameters()),
            Phase(
                "second",
                epochs,
                self.loss,
                begin=self.note,
                trained=lambda network: network.second.parameters(),
                weights=self.weights,
                lr=0.5,
            ),
            Phase("close", 0, self.loss, begin=self.close),
        )

    def first_loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image, "first"), batch.label)}

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image), batch.label), "second_term": batch.image.mean()}

    def note(self, network: nn.Module, data: Data, rng: torch.Generator) -> None:
        self.begun += 1
        rows = [(batch.row, network(batch.image, "first").argmax(1) != batch.label) for batch in data.train.batches(40)]
        for row, wrong in rows:
            network.found[row] = wrong.float()
        network.found[:10] = 1

    def weights(self, network: nn.Module, data: Data) -> Tensor:
        return network.found + 0.01

    def close(self, network: nn.Module, data: Data, rng: torch.Generator) -> None:
        with torch.no_grad():
            network.found.fill_(7)

    def deploy(self, network: nn.Module) -> nn.Module:
        return network.second


def fit_of(pack: Path, method: Method, **training: Any) -> Fit:
    settings = parse(Training, {**TRAINING, "epochs": 2, **training}, "test")
    return Fit(method, TASK, settings, 0, load_sets(pack, method.needs), Fabric(accelerator="cpu", devices=1))


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def weights_of(module: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in module.parameters()]


def test_each_phase_trains_its_own_weights_and_starts_from_the_best_of_the_one_before(pack: Path) -> None:
    fit = fit_of(pack, TwoStep(TwoStep.Settings()), optimizer={"name": "sgd", "lr": 0.3})
    pair = fit.plain
    at_start, seen = weights_of(pair.second), []
    state = fit.run(lambda _: seen.append((snapshot(pair.first), weights_of(pair.second))))
    for epoch in (0, 1):  # the second network rests in the first phase
        assert all(map(torch.equal, seen[epoch][1], at_start))
    rows = state.log
    assert [row["phase"] for row in rows] == [0, 0, 1, 1]
    best = min((0, 1), key=lambda epoch: rows[epoch]["val_loss"])
    for epoch in (2, 3):  # the first network is its own best all through the second phase
        assert all(torch.equal(seen[epoch][0][name], seen[best][0][name]) for name, _ in pair.first.named_parameters())
    assert state.best_epoch == min((2, 3), key=lambda epoch: rows[epoch]["val_loss"])


def test_a_phase_without_epochs_has_the_last_word(pack: Path) -> None:
    fit = fit_of(pack, TwoStep(TwoStep.Settings()))
    last: list[dict[str, Tensor]] = []
    state = fit.run(lambda state: last.append({k: v.clone() for k, v in state.best.items()}))
    assert torch.equal(state.best["found"], torch.full((96,), 7.0))
    without = {name: value for name, value in state.best.items() if name != "found"}
    assert same(without, {name: value for name, value in last[-1].items() if name != "found"})


def test_each_phase_has_its_own_schedule_and_learning_rate(pack: Path) -> None:
    fit = fit_of(pack, TwoStep(TwoStep.Settings()), epochs=3)
    rates: list[tuple[float, int]] = []
    fit.run(lambda _: rates.append((max(fit.schedule.base_lrs), fit.schedule.total_steps)))
    full = TRAINING["optimizer"]["lr"] / 25  # where one-cycle begins
    assert rates == [pytest.approx((rate, steps)) for rate, steps in [(full, 12)] * 2 + [(full / 2, 18)] * 3]


def test_images_are_drawn_by_the_weights_of_the_phase(pack: Path) -> None:
    method = TwoStep(TwoStep.Settings())
    fit = fit_of(pack, method)
    fit.plain.found[:] = torch.arange(96) % 3
    fit.state.phase = 1
    fit.open()
    drawn = torch.cat([fit.order(epoch) for epoch in range(200)])
    counts = torch.bincount(drawn % 3, minlength=3).double().numpy()
    expected = torch.tensor([0.01, 1.01, 2.01]).double().numpy()
    assert chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 0.001
    assert len(fit.order(0)) == 96
    assert torch.equal(fit.order(3), fit.order(3))
    assert not torch.equal(fit.order(3), fit.order(4))


class Stopped(Exception):
    """Stands for a kill right after an epoch's checkpoint was written."""


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_training_stopped_after_any_epoch_ends_in_the_same_bits(pack: Path, tmp_path: Path, stop_after: int) -> None:
    whole = fit_of(pack, TwoStep(TwoStep.Settings())).run(lambda _: None)
    file = tmp_path / "checkpoint"
    first = fit_of(pack, TwoStep(TwoStep.Settings()))

    def stop(state: Any) -> None:
        checkpoint.save(first, file, "job")
        if state.epoch == stop_after:
            raise Stopped

    with pytest.raises(Stopped):
        first.run(stop)
    method = TwoStep(TwoStep.Settings())
    second = fit_of(pack, method)
    assert checkpoint.resume(second, file, "job")
    state = second.run(lambda _: None)
    assert same(state.best, whole.best)
    assert state.log == whole.log
    assert method.begun == (1 if stop_after <= 2 else 0)  # not again within the phase


def test_a_method_that_trains_nothing_is_refused(pack: Path) -> None:
    class Idle(ERM):
        def phases(self, epochs: int) -> tuple[Phase, ...]:
            return (Phase("rest", 0, self.loss),)

    with pytest.raises(BenchmarkError, match=r"phases of Idle; got 'no epoch'; expected at least one"):
        fit_of(pack, Idle(Idle.Settings()))


def test_the_log_has_a_column_for_every_term_of_every_phase(tmp_path: Path) -> None:
    rows = [{"epoch": 0.0, "phase": 0.0, "train_loss": 1.0}, {"epoch": 1.0, "phase": 1.0, "train_other": 0.5}]
    seed_module.write_log(tmp_path / "log.csv", rows)
    assert (tmp_path / "log.csv").read_text() == "epoch,phase,train_loss,train_other\n0,0,1.0,\n1,1,,0.5\n"


# --- what a method sees -------------------------------------------------------------------------------


class Curious(ERM):
    """Keeps what it is shown."""

    def __init__(self, needs: Needs) -> None:
        super().__init__(ERM.Settings())
        self.needs = needs
        self.batches: list[Batch] = []
        self.data: list[Data] = []

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return (Phase("train", epochs, self.loss, begin=lambda _, data, __: self.data.append(data)),)

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        self.batches.append(batch)
        return super().loss(network, batch, rng)


def shown(batches: Iterable[Batch], name: str) -> set[bool]:
    return {getattr(batch, name) is not None for batch in batches}


@pytest.mark.parametrize("needs", [Needs(), Needs(groups=True), Needs(masks=True), Needs(balanced=True)])
def test_a_method_sees_what_it_declares_in_training_and_between_phases(pack: Path, needs: Needs) -> None:
    method = Curious(needs)
    fit_of(pack, method, epochs=1).run(lambda _: None)
    (data,) = method.data
    for batches in (method.batches, data.train.batches(), data.val.batches()):
        batches = list(batches)
        assert shown(batches, "mask") == {needs.masks}
        assert shown(batches, "code") == {needs.groups}
        assert shown(batches, "row") == {True}
    assert (data.balanced is not None) == needs.balanced


def test_rows_and_codes_are_those_of_the_images(pack: Path) -> None:
    method = Curious(Needs(groups=True))
    fit = fit_of(pack, method, epochs=1)
    fit.run(lambda _: None)
    for batch in method.batches[:6]:
        assert torch.equal(fit.sets.train.label[batch.row], batch.label)
        assert torch.equal(fit.sets.train.image[batch.row].float() / 255, batch.image)
        assert torch.equal(batch.code, batch.label)  # fully correlated
    assert [row for batch in method.data[0].train.batches(40) for row in batch.row.tolist()] == list(range(96))


def test_a_pack_without_a_set_that_a_method_needs_says_so(pack: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.h5"
    write_columns(old, {name: read_columns(pack, name)[0] for name in ("train", "val", "iid")}, {})
    with pytest.raises(BenchmarkError, match=r"group 'balanced' of pack .*old\.h5 is missing; got 'iid, train, val'"):
        load_sets(old, Needs(balanced=True))


class Oracle(ERM):
    """Looks at the image only where the mask is."""

    needs = Needs(masks=True, mask_at_test=True)

    class Masked(nn.Module):
        def __init__(self, classifier: nn.Module) -> None:
            super().__init__()
            self.classifier = classifier

        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            logits: Tensor = self.classifier(image * mask)
            return logits

    def build(self, task: Task) -> nn.Module:
        return self.Masked(super().build(task))

    def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": cross_entropy(network(batch.image, batch.mask), batch.label)}


def test_an_oracle_is_given_the_mask_when_it_predicts(pack: Path, tmp_path: Path) -> None:
    fit = fit_of(pack, Oracle(Oracle.Settings()))
    fit.run(lambda _: None)
    job = make_job(pack, tmp_path / "seed-0")
    stored = seed_module.predictions(job, fit.plain, Oracle.needs, None)
    for variant in ("iid", "deceiving"):
        columns, _ = read_columns(pack, variant)
        masked = torch.from_numpy(columns["image"] * columns["mask"][..., None]).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            expected = fit.plain.classifier(masked)
        torch.testing.assert_close(torch.from_numpy(stored.logits[variant][0]), expected, atol=1e-5, rtol=1e-5)
