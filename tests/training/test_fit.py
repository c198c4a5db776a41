import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jobs import TRAINING, make_job
from lightning_fabric import Fabric
from torch import nn

from baselines.erm import ERM
from baselines.isnet_path import ISNetPath
from benchmark.api import Batch, Method, Needs, Task
from benchmark.config import Training, parse
from benchmark.errors import BenchmarkError
from benchmark.predictions import Predictions
from benchmark.training import seed as seed_module
from benchmark.training.augment import draw_shifts, shifted
from benchmark.training.data import load_sets, load_tensors
from benchmark.training.fit import Fit, build

TASK = Task("test_resnet", 3, 1, 28, 28)


def fit_of(pack: Path, method: Method, seed: int = 0, **training: Any) -> Fit:
    settings = parse(Training, {**TRAINING, **training}, "test")
    fabric = Fabric(accelerator="cpu", devices=1)
    return Fit(method, TASK, settings, seed, load_sets(pack, method.needs), fabric)


def run_seed(pack: Path, folder: Path, **changes: Any) -> Path:
    job = make_job(pack, folder, **changes)
    seed_module.run(job, lambda *_: None)
    return job.folder


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("method", ["erm", "isnet", "isnet_path"])
def test_equal_seeds_give_equal_bytes_and_other_seeds_other_weights(pack: Path, tmp_path: Path, method: str) -> None:
    first = content(run_seed(pack, tmp_path / "a" / "seed-0", method=method, epochs=2))
    again = content(run_seed(pack, tmp_path / "b" / "seed-0", method=method, epochs=2))
    other = content(run_seed(pack, tmp_path / "c" / "seed-1", method=method, epochs=2, seed=1))
    assert first == again
    assert set(first) == {"weights.safetensors", "log.csv", "predictions.npz", "run.json"}
    assert first["weights.safetensors"] != other["weights.safetensors"]


class Interrupted(Exception):
    """Stands for a kill right after an epoch's checkpoint was written."""


@pytest.mark.parametrize(("method", "stop_after"), [("erm", 1), ("isnet_path", 2)])
def test_a_training_stopped_after_an_epoch_ends_in_the_bytes_of_an_undisturbed_one(
    pack: Path, tmp_path: Path, method: str, stop_after: int
) -> None:
    undisturbed = content(run_seed(pack, tmp_path / "a" / "seed-0", method=method))
    job = make_job(pack, tmp_path / "b" / "seed-0", method=method)
    epochs: list[int] = []

    def stop(seed: int, done: int, *_: object) -> None:
        epochs.append(done)
        if len(epochs) == stop_after:
            raise Interrupted

    with pytest.raises(Interrupted):
        seed_module.run(job, stop)
    assert not job.folder.exists()
    assert job.checkpoint.exists()
    seed_module.run(job, lambda _, done, *__: epochs.append(done))
    assert epochs == [1, 2, 3]  # no epoch twice
    assert content(job.folder) == undisturbed
    assert not job.checkpoint.exists()


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_not_taken_up(pack: Path, tmp_path: Path) -> None:
    expected = content(run_seed(pack, tmp_path / "a" / "seed-0", epochs=2))
    other = make_job(pack, tmp_path / "b" / "seed-0", epochs=2, optimizer={"name": "sgd", "lr": 0.1})

    def stop(*_: object) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        seed_module.run(other, stop)
    assert content(run_seed(pack, tmp_path / "b" / "seed-0", epochs=2)) == expected
    damaged = make_job(pack, tmp_path / "c" / "seed-0", epochs=2)
    damaged.checkpoint.parent.mkdir()
    damaged.checkpoint.write_bytes(b"PK\x03\x04 cut short")
    assert content(run_seed(pack, tmp_path / "c" / "seed-0", epochs=2)) == expected


def test_a_finished_seed_is_not_trained_again_but_another_setting_is(pack: Path, tmp_path: Path) -> None:
    folder = run_seed(pack, tmp_path / "seed-0", epochs=1)
    seen: list[object] = []
    seed_module.run(make_job(pack, folder, epochs=1), lambda *message: seen.append(message))
    assert seen == []
    seed_module.run(make_job(pack, folder, epochs=2), lambda *message: seen.append(message))
    assert len(seen) == 2


def test_the_first_epoch_with_the_lowest_validation_loss_is_kept(pack: Path, tmp_path: Path) -> None:
    fit = fit_of(pack, ERM(ERM.Settings()), epochs=6, optimizer={"name": "sgd", "lr": 0.3})
    weights: list[dict[str, torch.Tensor]] = []
    state = fit.run(lambda _: weights.append({k: v.clone() for k, v in fit.plain.state_dict().items()}))
    losses = [row["val_loss"] for row in state.log]
    assert state.best_epoch == int(np.argmin(losses))
    for name, value in weights[state.best_epoch].items():
        assert torch.equal(state.best[name], value)


def test_stored_logits_are_those_of_the_stored_weights(pack: Path, tmp_path: Path) -> None:
    from benchmark.scoring.models import load_model

    folder = run_seed(pack, tmp_path / "seed-0")
    stored = Predictions.read(folder / "predictions.npz")
    model = load_model(folder, "erm", {})
    tensors = load_tensors(pack, "deceiving")
    with torch.no_grad():
        logits = model(tensors.image.float() / 255)
    np.testing.assert_allclose(stored.logits["deceiving"][0], logits.numpy(), atol=1e-5)
    assert set(stored.logits) == {"iid", "ood", "deceiving"}
    assert stored.tested["deceiving"].label.tolist() == tensors.label.tolist()


def test_masks_are_given_only_to_a_method_that_declares_them(pack: Path) -> None:
    class Curious(ERM):
        seen: tuple[Any, ...] = ()

        def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Any:
            self.seen = (*self.seen, batch.mask)
            return super().loss(network, batch, rng)

    blind, sighted = Curious(ERM.Settings()), Curious(ERM.Settings())
    sighted.needs = Needs(masks=True)
    fit_of(pack, blind, epochs=1).run(lambda _: None)
    fit_of(pack, sighted, epochs=1).run(lambda _: None)
    assert all(mask is None for mask in blind.seen)
    assert all(set(mask.unique().tolist()) == {0.0, 1.0} for mask in sighted.seen)


def test_a_loss_that_is_not_finite_stops_with_place_and_terms(pack: Path) -> None:
    class Broken(ERM):
        def loss(self, network: nn.Module, batch: Batch, rng: torch.Generator) -> Any:
            return {"loss": super().loss(network, batch, rng)["loss"] * math.nan}

    with pytest.raises(BenchmarkError, match=r"seed 0 is not finite in epoch 0, step 0.*'loss': nan.*learning rate"):
        fit_of(pack, Broken(ERM.Settings())).run(lambda _: None)


def test_training_leaves_torchs_global_generator_alone(pack: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fit_of(pack, ISNetPath(ISNetPath.Settings()), epochs=1).run(lambda _: None)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_initial_weights_depend_on_the_seed_alone() -> None:
    method = ERM(ERM.Settings())
    torch.manual_seed(1)
    first = build(method, TASK, seed=4).state_dict()
    torch.manual_seed(2)
    second, third = build(method, TASK, seed=4).state_dict(), build(method, TASK, seed=5).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.0.weight"], third["conv1.0.weight"])


def test_shifts_move_image_and_mask_together() -> None:
    image = torch.zeros(4, 1, 5, 5)
    image[:, :, 2, 2] = 1
    shifts = draw_shifts(4, 2, torch.Generator().manual_seed(0))
    batch = shifted(Batch(image, torch.zeros(4, dtype=torch.int64), image.clone()), 2, shifts)
    assert batch.mask is not None
    assert torch.equal(batch.image, batch.mask)
    assert batch.image.sum((1, 2, 3)).tolist() == [1, 1, 1, 1]
    assert len({tuple(one.nonzero()[0].tolist()) for one in batch.image}) > 1


def test_unknown_backbone_and_too_small_images_are_named() -> None:
    method = ERM(ERM.Settings())
    with pytest.raises(BenchmarkError, match=r"unknown backbone.*'test_resnt'.*test_resnet"):
        build(method, Task("test_resnt", 3, 1, 28, 28), 0)
    with pytest.raises(BenchmarkError, match=r"'test_vit' cannot take images of 28 x 28"):
        build(method, Task("test_vit", 3, 1, 28, 28), 0)


def test_a_batch_larger_than_the_data_is_refused(pack: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"batch_size; got 500; expected at most 96"):
        fit_of(pack, ERM(ERM.Settings()), batch_size=500)
