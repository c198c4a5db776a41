"""The suite of the study: its dvc.yaml against the code, and the root's suite left alone."""

import importlib

import pytest
from repository import ROOT, run

from benchmark import paths
from benchmark.claims import read_claims
from benchmark.config import Suite, load, load_method, parse, read_yaml
from benchmark.metrics.named import metric_named
from benchmark.provenance import CODE
from benchmark.registry import METHODS
from pipelines import mechanism, score, train

FOLDER = ROOT / "pipelines" / "hacking"
SUITE = paths.SuitePaths("hacking")
STAGES = read_yaml(FOLDER / "dvc.yaml")["stages"]
CELLS = load(Suite, FOLDER / "params.yaml").cells()


def test_its_stages_are_the_product_of_its_lists_and_none_is_the_roots() -> None:
    listed = run("dvc", "stage", "list", "--name-only", "pipelines/hacking/dvc.yaml", cwd=ROOT).split()
    names = {line.rpartition(":")[2] for line in listed}
    expected = {f"{stage}@{cell.key}" for stage in ("train", "score") for cell in CELLS}
    expected |= {f"code@{cell.method}" for cell in CELLS}
    assert names == expected | {"report", "mechanism", "check"}
    assert "hacking" not in run("dvc", "stage", "list", "--name-only", cwd=ROOT)


@pytest.mark.parametrize("stage", list(STAGES))
def test_each_stage_runs_its_program_at_the_root_on_this_suite(stage: str) -> None:
    words = STAGES[stage]["cmd"].split()
    assert words[:3] == ["python", "-m", f"pipelines.{stage}"]
    assert words[-1] == "hacking"
    assert STAGES[stage]["wdir"] == "../.."
    assert callable(getattr(importlib.import_module(f"pipelines.{stage}"), stage))


def test_it_trains_on_the_roots_data_with_the_code_that_the_fingerprint_hashes() -> None:
    assert sorted(STAGES["code"]["deps"]) == sorted(CODE)
    data = "data/biased/${item.dataset}-${item.bias}/pack.h5"
    assert sorted(STAGES["train"]["deps"]) == sorted([data, *STAGES["code"]["outs"]])
    assert any(
        "data/biased/${key}/pack.h5" in outs for outs in [read_yaml(ROOT / "dvc.yaml")["stages"]["inject"]["outs"]]
    )


def test_no_stage_reads_the_roots_params() -> None:
    for stage in STAGES.values():
        assert all(next(iter(param)).startswith("pipelines/hacking/") for param in stage.get("params", []))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.method)
def test_outputs_and_settings_lie_where_the_programs_look(cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    def filled(entries: list) -> list[str]:
        names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
        return [name.replace("${key}", cell.key).replace("${item.method}", cell.method) for name in names]

    assert filled(STAGES["train"]["outs"]) == [str(SUITE.run(cell))]
    assert filled(STAGES["score"]["outs"]) == [str(p(cell)) for p in (SUITE.predictions, SUITE.gallery, SUITE.facts)]
    assert str(SUITE.method_yaml(cell.method)) in filled(STAGES["train"]["params"])
    assert str(SUITE.run(cell)) in STAGES["mechanism"]["deps"]


def test_all_methods_share_backbone_epochs_and_batch_and_have_options_that_load() -> None:
    files = {cell.method: load_method(FOLDER / "methods" / f"{cell.method}.yaml") for cell in CELLS}
    shared = {
        (f.training.backbone, f.training.epochs, f.training.batch_size, f.training.clip_norm) for f in files.values()
    }
    assert len(shared) == 1
    assert {file.stem for file in (FOLDER / "methods").iterdir()} == set(files)
    for name, file in files.items():
        parse(METHODS.get(file.method).Settings, file.options, name)


def test_a_cell_is_trained_and_described_by_the_method_that_its_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
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
        "epochs": 3, "best_epoch": 3,
        "device": "cpu",
        "data": "d",
        "code": "c",
        "packages": {},
    }
    facts = score.facts(cell, load_method(SUITE.method_yaml(cell.method)), [record])
    assert facts["method"] == "isnet_adamw"
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


def test_its_claims_speak_of_its_cells() -> None:
    claims = read_claims(FOLDER / "claims.yaml")
    assert len({claim.name for claim in claims}) == len(claims) > 0
    cells = {(cell.dataset, cell.bias, cell.method) for cell in CELLS}
    assert {(claim.dataset, claim.bias, claim.method) for claim in claims} <= cells
    assert all(metric_named(claim.metric).name == claim.metric for claim in claims)
