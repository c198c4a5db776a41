"""dvc.yaml against the code: every cell has its stage, every stage its program, every path its function."""

import importlib

import pytest
from repository import ROOT, run

from benchmark import paths
from benchmark.cell import Cell
from benchmark.config import read_yaml
from benchmark.provenance import CODE

SUITE = paths.SuitePaths()
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    matrix = read_yaml(ROOT / "params.yaml")["matrix"]
    return [Cell(d, b, m) for d in matrix["dataset"] for b in matrix["bias"] for m in matrix["method"]]


def test_stage_names_are_the_product_of_the_lists(cells: list[Cell]) -> None:
    listed = run("dvc", "stage", "list", "--name-only", cwd=ROOT).split()
    expected = {"score_code", "costs", "report", "check"}
    expected |= {f"{stage}@{cell.dataset}" for stage in ("dataset_code", "fetch", "pack") for cell in cells}
    expected |= {f"code@{cell.method}" for cell in cells}
    expected |= {f"inject@{cell.task}" for cell in cells}
    expected |= {f"{stage}@{cell.key}" for stage in ("train", "score") for cell in cells}
    assert sorted(listed) == sorted(expected)


def test_params_hold_lists_only() -> None:
    params = read_yaml(ROOT / "params.yaml")
    assert set(params) == {"matrix", "seeds"}
    assert all(isinstance(values, list) for values in [*params["matrix"].values(), params["seeds"]])


@pytest.mark.parametrize("stage", list(STAGES))
def test_each_stage_is_a_short_program_of_its_name(stage: str) -> None:
    assert STAGES[stage]["cmd"].startswith(f"python -m pipelines.{stage} ")
    module = importlib.import_module(f"pipelines.{stage}")
    assert callable(getattr(module, stage))
    assert module.__file__ is not None
    assert len((ROOT / "pipelines" / f"{stage}.py").read_text().splitlines()) <= 80


def test_training_depends_on_the_hash_of_its_code_and_the_hash_on_all_code_there_may_be() -> None:
    assert sorted(STAGES["code"]["deps"]) == sorted(CODE)
    assert [dep for dep in STAGES["train"]["deps"] if not dep.startswith("data/")] == STAGES["code"]["outs"]


def test_scoring_depends_on_the_hash_of_its_code() -> None:
    assert STAGES["score_code"]["outs"] == [str(SUITE.scoring_code)]
    assert str(SUITE.scoring_code) in STAGES["score"]["deps"]


def test_outputs_lie_where_the_programs_write_them(cells: list[Cell]) -> None:
    def outs(stage: str, key: str) -> list[str]:
        names = [next(iter(out)) if isinstance(out, dict) else out for out in STAGES[stage]["outs"]]
        return [
            name.replace("${key}", key).replace("${item.dataset}", key).replace("${item.method}", key) for name in names
        ]

    for cell in cells:
        assert outs("fetch", cell.dataset) == [str(paths.raw(cell.dataset))]
        assert outs("pack", cell.dataset) == [str(paths.pack(cell.dataset))]
        assert outs("inject", cell.task) == [
            str(paths.biased_pack(cell.task)),
            str(paths.biased(cell.task) / "manifest.csv"),
            str(SUITE.sample_sheet(cell.task)),
        ]
        assert outs("code", cell.method) == [str(SUITE.code(cell.method))]
        assert outs("train", cell.key) == [str(SUITE.run(cell))]
        assert outs("score", cell.key) == [str(p(cell)) for p in (SUITE.predictions, SUITE.gallery, SUITE.facts)]


def test_data_and_runs_are_ignored_at_the_root_and_dvc_stays_silent() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/data/", "/runs/"} <= set(ignored)
    config = (ROOT / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config
