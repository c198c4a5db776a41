"""Every suite beside the default one: its dvc.yaml against the code, its settings and its claims."""

import importlib
from typing import Any

import pytest
from repository import ROOT, run

from benchmark import paths
from benchmark.claims import read_claims
from benchmark.config import Suite, load, load_bias, load_method, parse, read_yaml
from benchmark.data.named import load_dataset
from benchmark.provenance import CODE
from benchmark.registry import METHODS

NAMES = sorted(file.parent.name for file in (ROOT / "pipelines").glob("*/params.yaml"))
OF_IMAGES = ["covid", "covid_gpu", "dogs", "faces", "mnist", "skin", "tb", "tb_gpu"]
FIXED = {"report", "check"}
OF_DATASETS = {"dataset_code", "fetch", "pack"}
"""Stages that a suite has for data of its own: whatever suite uses the data, they are the same."""


@pytest.fixture(params=NAMES)
def suite(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> paths.SuitePaths:
    monkeypatch.chdir(ROOT)
    return paths.SuitePaths(request.param)


def stages_of(suite: paths.SuitePaths) -> dict:
    content = read_yaml(ROOT / suite.pipeline)
    given = {key: value for entry in content.get("vars", []) for key, value in entry.items()}
    return with_values(content["stages"], given)


def with_values(content: Any, given: dict[str, str]) -> Any:
    """The file as DVC reads it, with its variables but not those of a matrix."""
    if isinstance(content, dict):
        return {with_values(key, given): with_values(value, given) for key, value in content.items()}
    if isinstance(content, list):
        return [with_values(value, given) for value in content]
    return filled([content], **given)[0] if isinstance(content, str) else content


def filled(entries: list, **values: str) -> list[str]:
    names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
    for key, value in values.items():
        names = [name.replace("${" + key + "}", value) for name in names]
    return names


def test_the_suites_are_there() -> None:
    assert sorted(["architectures", "dose", "hacking", "methods", "minority", *OF_IMAGES]) == NAMES


def test_stages_are_the_product_of_the_lists(suite: paths.SuitePaths) -> None:
    listed = run("dvc", "stage", "list", "--name-only", str(suite.pipeline), cwd=ROOT).split()
    names = {line.rpartition(":")[2] for line in listed}
    cells = load(Suite, ROOT / suite.params).cells()
    products = {f"{stage}@{cell.key}" for stage in ("train", "score") for cell in cells}
    products |= {f"code@{cell.method}" for cell in cells}
    products |= {f"inject@{cell.task}" for cell in cells} if "inject" in stages_of(suite) else set()
    for stage in OF_DATASETS & set(stages_of(suite)):
        products |= {f"{stage}@{cell.dataset}" for cell in cells}
    single = {name for name in stages_of(suite) if "matrix" not in stages_of(suite)[name]}
    assert names == products | single
    assert single >= FIXED


def test_each_stage_runs_its_program_at_the_root_on_this_suite(suite: paths.SuitePaths) -> None:
    for name, stage in stages_of(suite).items():
        words = stage["cmd"].split()
        assert words[:3] == ["python", "-m", f"pipelines.{name}"]
        assert words[-1] == ("${item.dataset}" if name in OF_DATASETS else suite.name)
        assert stage["wdir"] == "../.."
        assert callable(getattr(importlib.import_module(f"pipelines.{name}"), name))


def test_data_code_and_settings_come_from_where_the_programs_look(suite: paths.SuitePaths) -> None:
    stages = stages_of(suite)
    assert sorted(stages["code"]["deps"]) == sorted(CODE)
    assert stages["score_code"]["outs"] == [str(suite.scoring_code)]
    assert str(suite.scoring_code) in stages["score"]["deps"]
    for stage in ("score_code", "score", "report"):
        assert str(suite.scoring_yaml) in filled(stages[stage]["params"])
    for cell in load(Suite, ROOT / suite.params).cells():
        values = {"key": cell.key, "item.method": cell.method, "item.dataset": cell.dataset, "item.bias": cell.bias}
        deps = [str(paths.biased_pack(cell.task)), str(suite.code(cell.method))]
        assert sorted(filled(stages["train"]["deps"], **values)) == sorted(deps)
        assert filled(stages["code"]["outs"], **values) == [str(suite.code(cell.method))]
        assert filled(stages["train"]["outs"], **values) == [str(suite.run(cell))]
        assert filled(stages["score"]["outs"], **values) == [
            str(place(cell)) for place in (suite.predictions, suite.gallery, suite.facts)
        ]
        for stage in ("code", "train"):
            assert str(suite.method_yaml(cell.method)) in filled(stages[stage]["params"], **values)
        made = [read_yaml(ROOT / "dvc.yaml")["stages"]["inject"], stages.get("inject", {"outs": []})]
        packs = [out for each in made for out in filled(each["outs"], key=cell.task)]
        assert str(paths.biased_pack(cell.task)) in packs


def test_no_stage_reads_the_roots_params(suite: paths.SuitePaths) -> None:
    for stage in stages_of(suite).values():
        assert all(next(iter(param)).startswith("pipelines/") for param in stage.get("params", []))


def test_all_settings_and_claims_load(suite: paths.SuitePaths) -> None:
    cells = load(Suite, ROOT / suite.params).cells()
    for cell in cells:
        load_dataset(cell.dataset)
        load_bias(paths.bias_yaml(cell.bias))
        settings = load_method(suite.method_yaml(cell.method))
        parse(METHODS.get(settings.method).Settings, settings.options, cell.method)
    claims = read_claims(suite.claims_yaml)
    assert claims
    assert len({claim.name for claim in claims}) == len(claims)


def test_the_suite_of_all_methods_holds_every_registered_one() -> None:
    listed = set(load(Suite, ROOT / "pipelines/methods/params.yaml").matrix.method)
    builtin = {name for name, entry in METHODS.table().items() if entry.origin == "built-in"}
    assert builtin - listed == {"isnet_stochastic"}  # isnet by another name


def test_methods_of_one_suite_share_what_a_comparison_needs() -> None:
    for name in ("default", *NAMES):
        suite = paths.SuitePaths(name)
        files = [
            load_method(ROOT / suite.method_yaml(method)) for method in load(Suite, ROOT / suite.params).matrix.method
        ]
        shared = {(file.training.epochs, file.training.batch_size, file.training.clip_norm) for file in files}
        assert len(shared) == 1, name
