"""Real trials on a tiny pack: the program from its command line to its log."""

import csv
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.api import Needs, Task
from benchmark.backbone import create_classifier
from benchmark.cell import Cell
from benchmark.errors import BenchmarkError
from benchmark.paths import SuitePaths
from benchmark.training import seed
from benchmark.training.data import Tensors
from benchmark.tune.__main__ import arguments_of, tune
from benchmark.tune.estimate import cost, epochs_of
from benchmark.tune.progress import Line, Progress
from benchmark.tune.select import Scored
from benchmark.tune.trials import Budget, accuracy_and_loss, pending, plan, score, train

CELL = Cell("bars", "corner", "erm")
ONE = Budget(trials=1, epochs=1, seed=3)
TWO = Budget(trials=2, epochs=1, seed=1000)
METHOD = Path("pipelines/configs/methods/erm.yaml")


def run(*words: str) -> None:
    tune(arguments_of().parse_args(["erm", "--dataset", "bars", "--workers", "2", *words]))


def quiet(*progress: object) -> None:
    """Nobody looks."""


def rows(project: Path) -> list[dict[str, str]]:
    with (project / "results" / "tune" / "bars-corner" / "erm.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_two_trials_are_trained_logged_written_and_never_repeated(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    untuned = METHOD.read_text()
    run("--trials", "2", "--epochs", "2", "--dry-run")
    said = capfd.readouterr().out
    assert "erm trial 0: lr 0.005\n" in said
    assert "1 methods x 2 trials x 2 epochs, seed 1000: 2 trainings left, about 0:0" in said
    assert not (project / "runs").exists()
    assert not (project / "results").exists()

    run("--trials", "2", "--epochs", "2", "--write")
    said = capfd.readouterr().out
    assert sum("epoch 2/2" in line for line in said.splitlines()) == 2
    assert "(2/2 trials, 0:00 left for all)" in said
    log = rows(project)
    assert [row["trial"] for row in log] == ["0", "1"]
    rates = [json.loads(row["settings"])["training.optimizer.lr"] for row in log]
    assert rates[0] == 5e-3
    assert 1e-3 <= rates[1] <= 1e-2
    assert {(row["epochs"], row["seed"], row["n_val"], row["note"]) for row in log} == {("2", "1000", "24", "")}
    assert sorted("+".join(row["selected"] for row in log if row["selected"]).split("+")) == ["iid", "oracle"]
    chosen = next(row for row in log if "iid" in row["selected"])
    yaml = METHOD.read_text()
    assert yaml.startswith(f"# Tuned: trial {chosen['trial']} of 2, 2 epochs each: results/tune/bars-corner/erm.csv\n")
    assert f"lr: {'5e-3' if chosen['trial'] == '0' else rates[1]}}}" in yaml
    assert "backbone: test_resnet  # timm's smallest" in yaml

    METHOD.write_text(untuned)
    before = {path: path.stat().st_mtime_ns for path in (project / "runs").rglob("*")}
    run("--trials", "2", "--epochs", "2")
    assert "epoch" not in capfd.readouterr().out.partition("trainings left")[2].partition("bars-corner-erm:")[0]
    assert {path: path.stat().st_mtime_ns for path in (project / "runs").rglob("*")} == before
    assert rows(project) == log
    run("--trials", "3", "--epochs", "2", "--dry-run")
    said = capfd.readouterr().out
    assert said.count("(done)") == 2
    assert ": 1 trainings left" in said


def test_a_trial_that_diverges_is_recorded_with_its_error_and_stops_no_other(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = METHOD.read_text().replace("name: adamw, lr: 5e-3", "name: sgd, lr: 1e36")
    METHOD.write_text(text.replace("  clip_norm: 1.0\n", ""))
    run("--trials", "2", "--epochs", "1")
    first, second = rows(project)
    assert "is not finite" in first["note"]
    assert (first["val_accuracy"], first["val_loss"], first["balanced_accuracy"], first["selected"]) == ("", "", "", "")
    assert second["note"] == ""
    assert second["selected"] == "iid+oracle"
    assert 0 <= float(second["val_accuracy"]) <= 1
    assert "failed: the loss of seed 1000 is not finite" in capfd.readouterr().out
    run("--trials", "2", "--epochs", "1")
    assert ": 0 trainings left" in capfd.readouterr().out
    with pytest.raises(BenchmarkError, match="no trial of erm has a score"):
        run("--trials", "1", "--epochs", "1")
    assert [row["selected"] for row in rows(project)] == [""]


def test_a_killed_trial_goes_on_and_ends_in_the_same_scores(project: Path) -> None:
    one = plan(CELL, SuitePaths(), Budget(trials=1, epochs=3, seed=7))
    job = one.trials[0].job

    class Killed(Exception):
        """In place of a kill, after the second epoch."""

    def kill(seed: int, done: int, *_: object) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        seed.run(job, kill)
    assert job.checkpoint.exists()
    assert len(pending([one])) == 1
    epochs = []
    seed.run(job, lambda _, done, *rest: epochs.append(done))
    assert epochs == [3]
    assert pending([one]) == []
    resumed = score(one)
    shutil.rmtree(project / "runs")
    seed.run(job, quiet)
    assert score(one) == resumed


def test_test_images_have_no_part_in_the_scores(project: Path) -> None:
    def scores() -> tuple[list[Scored], str]:
        one = plan(CELL, SuitePaths(), ONE)
        seed.run(one.trials[0].job, quiet)
        return score(one), one.trials[0].job.pack_sha256

    before, first = scores()
    with h5py.File(project / "data" / "biased" / "bars-corner" / "pack.h5", "r+") as file:
        for variant in ("iid", "ood", "deceiving"):
            file[f"{variant}/label"][...] = np.roll(file[f"{variant}/label"][()], 1)
    after, second = scores()
    assert first != second
    assert after == before


def test_scores_are_accuracy_and_cross_entropy_of_the_deployed_model(project: Path) -> None:
    one = plan(CELL, SuitePaths(), ONE)
    seed.run(one.trials[0].job, quiet)
    model = create_classifier(Task("test_resnet", 3, 1, 28, 28))
    model.load_state_dict(load_file(one.trials[0].job.folder / "weights.safetensors"))
    found = score(one)[0]
    for group, accuracy in (("val", found.val_accuracy), ("balanced", found.balanced_accuracy)):
        with h5py.File(project / "data" / "biased" / "bars-corner" / "pack.h5") as file:
            image, label = file[f"{group}/image"][()], file[f"{group}/label"][()]
        with torch.no_grad():
            logits = model.eval()(torch.from_numpy(image).permute(0, 3, 1, 2) / 255).numpy().astype(float)
        assert accuracy == np.mean(logits.argmax(1) == label)
        if group == "val":
            right = np.exp(logits)[np.arange(24), label] / np.exp(logits).sum(1)
            assert found.val_loss == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_masks_go_to_a_model_that_is_given_masks_at_test() -> None:
    class Inside(torch.nn.Module):
        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            inside = (image * mask).flatten(1).sum(1)
            return torch.stack([torch.zeros_like(inside), inside], 1)

    image = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).view(2, 1, 1, 2)
    mask = torch.tensor([[1, 0], [1, 0]], dtype=torch.uint8).view(2, 1, 1, 2)
    tensors = Tensors(image, mask, label=torch.tensor([0, 1]), code=torch.tensor([-1, -1]))
    accuracy, loss = accuracy_and_loss(Inside(), tensors, Needs(masks=True, mask_at_test=True))
    assert accuracy == 1.0
    assert loss == pytest.approx((math.log(2) + math.log(1 + math.exp(-1))) / 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_model_whose_logits_are_not_finite_has_no_score(project: Path, bad: float) -> None:
    one = plan(CELL, SuitePaths(), ONE)
    trial = one.trials[0]
    seed.run(trial.job, quiet)
    weights = load_file(trial.job.folder / "weights.safetensors")
    save_file(
        {**weights, "fc.bias": torch.full_like(weights["fc.bias"], bad)}, trial.job.folder / "weights.safetensors"
    )
    found = score(one)[0]
    assert "not finite" in found.error
    assert math.isnan(found.val_accuracy)
    assert math.isnan(found.balanced_accuracy)


def test_trials_of_code_that_was_edited_meanwhile_are_not_compared(project: Path, monkeypatch) -> None:
    monkeypatch.setattr("benchmark.training.job.code_hash", lambda method: "before the edit")  # workers read the files
    one = plan(CELL, SuitePaths(), ONE)
    with pytest.raises(BenchmarkError, match=r"erm trial 0 ended as another training.*Run again"):
        train(one.trials, Progress([Line("erm trial 0", 1, 1.0)]), 1)


def test_what_is_missing_is_named_before_anything_is_trained(project: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"search/rrr\.yaml is missing"):
        shutil.copy("pipelines/configs/methods/erm.yaml", "pipelines/configs/methods/rrr.yaml")
        plan(Cell("bars", "corner", "rrr"), SuitePaths(), TWO)
    with h5py.File("data/biased/bars-corner/pack.h5", "r+") as file:
        del file["balanced"]
    with pytest.raises(BenchmarkError, match=r"lacks the group 'balanced'.*inject"):
        plan(CELL, SuitePaths(), TWO)


def test_equal_settings_are_trained_once(project: Path) -> None:
    (project / "pipelines/configs/search/erm.yaml").write_text("space:\n  training.clip_norm: {choices: [1.0]}\n")
    one = plan(CELL, SuitePaths(), TWO)
    assert len(one.trials) == 2
    assert len(pending([one])) == 1


def test_a_cost_counts_the_epochs_of_the_budget(project: Path) -> None:
    costs = {epochs: cost(plan(CELL, SuitePaths(), Budget(1, epochs, 0)).trials[0].job) for epochs in (1, 40)}
    assert [costs[1].epochs, costs[40].epochs] == [1, 40]
    assert 8 < costs[40].seconds / costs[1].seconds < 200
    assert math.isfinite(costs[1].seconds)


def test_the_epochs_of_a_trial_are_those_of_all_phases_at_its_own_settings(project: Path) -> None:
    job = plan(CELL, SuitePaths(), Budget(1, 5, 0)).trials[0].job
    assert epochs_of(job) == 5
    assert [epochs_of(replace(job, method="jtt", options={"share": share})) for share in (0.2, 0.8)] == [6, 9]


def test_time_left_is_the_rest_at_the_pace_of_what_is_done() -> None:
    lines = [Line("a", 4, 1.0, done=3, found=1), Line("b", 5, 2.0, done=1), Line("c", 5, 2.0)]
    progress = Progress(lines)
    # In 8 s: 2 epochs of 1 and 1 of 2. Left: 1 of 1 and 9 of 2.
    assert progress.left(progress.start + 8.0) == pytest.approx(8.0 / 4.0 * 19.0)
    assert math.isnan(Progress([Line("a", 4, 1.0)]).left(5.0))


def test_a_failed_trial_is_over_and_nothing_of_it_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress([Line("a", 4, 1.0, done=4), Line("b", 50, 1.0)])
    progress.fail(1, BenchmarkError("the loss is not finite"))
    assert progress.left(progress.start + 8.0) == 0
    assert "b epoch 0/0  failed: the loss is not finite.  (2/2 trials, 0:00 left for all)" in capfd.readouterr().out
