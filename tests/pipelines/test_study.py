"""The suite of the study: its dvc.yaml against the code, and the root's suite left alone."""

import json
from pathlib import Path

import pytest
from repository import ROOT, run

from benchmark import paths
from benchmark.config import Suite, load, load_method, parse, read_yaml
from benchmark.registry import METHODS
from pipelines import mechanism, score, train

FOLDER = ROOT / "pipelines" / "hacking"
SUITE = paths.SuitePaths("hacking")
STAGES = read_yaml(FOLDER / "dvc.yaml")["stages"]
CELLS = load(Suite, FOLDER / "params.yaml").cells()


def test_the_root_neither_lists_nor_runs_it() -> None:
    assert "hacking" not in run("dvc", "stage", "list", "--name-only", cwd=ROOT)


def test_the_mechanism_reads_every_run_by_its_own_path() -> None:
    assert {str(SUITE.run(cell)) for cell in CELLS} <= set(STAGES["mechanism"]["deps"])


def test_all_methods_share_backbone_epochs_and_batch_and_have_options_that_load() -> None:
    files = {cell.method: load_method(FOLDER / "methods" / f"{cell.method}.yaml") for cell in CELLS}
    shared = {
        (f.training.backbone, f.training.epochs, f.training.batch_size, f.training.clip_norm) for f in files.values()
    }
    assert len(shared) == 1
    assert {file.stem for file in (FOLDER / "methods").iterdir()} == set(files)
    for name, file in files.items():
        parse(METHODS.get(file.method).Settings, file.options, name)


def test_a_cell_is_trained_and_described_by_the_method_that_its_file_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(train, "groups", lambda pack: [])
    monkeypatch.setattr(train, "sha256_file", lambda pack: "0")
    cell = next(cell for cell in CELLS if cell.method == "isnet_adamw")
    jobs = train.jobs_of(cell, SUITE)
    assert [(job.seed, job.method, job.cell) for job in jobs] == [(seed, "isnet", cell) for seed in range(5)]
    assert {job.training.optimizer.name for job in jobs} == {"adamw"}
    assert str(jobs[2].folder) == "runs/.work/hacking/mnist5k-corner-isnet_adamw/seed-2"
    record = {
        "task": {"classes": 10},
        "seed": 0,
        "epochs": 3,
        "best_epoch": 3,
        "device": "cpu",
        "data": "d",
        "code": "c",
        "packages": {},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "log.csv").write_text("epoch,phase,val_loss\n0,0,0.5\n")
    facts = score.facts(cell, load_method(SUITE.method_yaml(cell.method)), [tmp_path])
    assert facts["method"] == "isnet_adamw"
    assert facts["curves"] == [{"epoch": [0.0], "phase": [0.0], "val_loss": [0.5]}]
    assert (facts["needs"], facts["trained_through"]) == ("training masks", "lrp_epsilon")


def test_a_suite_without_settings_of_its_own_takes_the_shared_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shared = "pipelines/configs/methods/isnet.yaml"
    assert str(SUITE.method_yaml("isnet")) == str(paths.SuitePaths().method_yaml("isnet")) == shared
    assert str(SUITE.method_yaml("erm")) == "pipelines/hacking/methods/erm.yaml"
    assert str(paths.SuitePaths().method_yaml("erm")) == "pipelines/configs/methods/erm.yaml"


def test_a_hacked_model_and_its_twin_differ_in_path_sampling_alone() -> None:
    methods = {cell.method for cell in CELLS}
    for plain, twin in ((a, b) for a, b in mechanism.TWINS.items() if a in methods):
        one, other = (load_method(FOLDER / "methods" / f"{name}.yaml") for name in (plain, twin))
        assert (one.method, other.method) == ("isnet", "isnet_path")
        assert one.training == other.training
        assert one.options == other.options
